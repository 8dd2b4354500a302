"""Encoder folders: those that ``pretrain`` leaves, local transformers folders, and the files of public BEiT-3."""

import json
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError, TrainingDiverged
from tests.fuzz.inputs import Input, read_input
from tests.fuzz.target import Target, Wrong
from tests.fuzz.targets.folders import small_catalogue

OURS = Path(tempfile.gettempdir()) / "alignrec-fuzz-encoders"
"""The frozen encoders that the stack of a package encoder was trained on; they stay as they are."""


def _transformers() -> tuple[str, str]:
    from tests.content.encoders.tiny_encoders import text_folder, vision_folder

    if not (OURS / "done").exists():
        vision_folder(OURS / "vit")
        text_folder(OURS / "bert")
        (OURS / "done").touch()
    return str(OURS / "vit"), str(OURS / "bert")


def pretrained_seeds(folder: Path) -> list[Input]:
    """One encoder of each kind, hardly trained."""
    from alignrec_geo.content.beit3.settings import Beit3Settings
    from alignrec_geo.content.beit3.task import Beit3Task
    from alignrec_geo.content.matrices.task import FeaturesConfig, FeaturesTask
    from alignrec_geo.content.pretraining.align import align
    from alignrec_geo.content.pretraining.loop import PretrainConfig

    data = small_catalogue().save(folder / "data")
    loop = PretrainConfig(epochs=1, batch_size=4, held_out=0.0, precision="float32")
    align(data, FeaturesTask(data, ["image", "text"], FeaturesConfig(dim=8, layers=1, heads=2)), "features", "a", loop)
    task = Beit3Task(data, "tiny", Beit3Settings(dim=16, layers=1, heads=2, image_target="pixels"))
    align(data, task, "beit3-tiny", "b", loop)
    task.save(data.encoder_folder("b"))
    return [
        {f"encoders/x/{name}": content for name, content in read_input(data.encoder_folder(kind)).items()}
        for kind in "ab"
    ]


def with_tokenizer(files: Input) -> Input:
    """Name the tokenizer in ``config.json`` as it is now."""
    tokenizer, config = files.get("encoders/x/tokenizer.json"), files.get("encoders/x/config.json")
    if not (isinstance(tokenizer, bytes) and isinstance(config, bytes)):
        return files
    try:
        from tokenizers import Tokenizer

        told = json.loads(config)
        told["task"]["tokenizer"] = sha256(Tokenizer.from_str(tokenizer.decode()).to_str().encode()).hexdigest()
        return {**files, "encoders/x/config.json": json.dumps(told).encode()}
    except BaseException:
        return files


_DATA: list[Dataset] = []


def open_encoder(folder: Path, out: Path, rng: Random) -> None:
    """``embed``: open the encoder and encode two items."""
    from dataclasses import replace

    from alignrec_geo.content.item_encoding.encode_items import _rows
    from alignrec_geo.content.item_encoding.open import open_pretrained

    if not _DATA:
        _DATA.append(small_catalogue())
    data = replace(_DATA[0], path=folder)
    encoder = open_pretrained(data, "x")
    Image.new("RGB", (8, 8)).save(out / "p.png")
    vectors = {name: np.ones(data.loaded[name].width, dtype=np.float32) for name in ("image", "text")}
    known = NewItem(id="n", text="a red mug", image=out / "p.png", vectors=vectors, title=None)
    _rows("y", encoder.width, encoder, [known, NewItem(id="m", text=None, image=None, vectors={}, title=None)], 2, None)


def resumed_seeds(folder: Path) -> list[Input]:
    """Pre-training after one of two epochs."""
    from alignrec_geo.content.pretraining.loop import pretrain

    pretrain(_task(), _loop(1), 0, folder / "run")
    return [read_input(folder / "run")]


def _loop(epochs: int) -> Any:
    from alignrec_geo.content.pretraining.loop import PretrainConfig

    return PretrainConfig(epochs=epochs, batch_size=16, held_out=0.0, precision="float32")


def _task() -> Any:
    from alignrec_geo.content.matrices.task import FeaturesConfig, FeaturesTask

    if not _DATA:
        _DATA.append(small_catalogue())
    return FeaturesTask(_DATA[0], ["image", "text"], FeaturesConfig(dim=8, layers=1, heads=2))


def resume_pretraining(folder: Path, out: Path, rng: Random) -> None:
    """``pretrain --resume``."""
    from alignrec_geo.content.pretraining.loop import pretrain

    try:
        result = pretrain(_task(), _loop(2), 0, folder, resume=True)
    except TrainingDiverged as error:
        raise InputError(str(error)) from None
    if len(result.history) != 2:
        raise Wrong(f"{len(result.history)} of 2 epochs in the history")


def text_encoder_seeds(_: Path) -> list[Input]:
    """A local BERT with its tokenizer."""
    return [{f"enc/{name}": content for name, content in read_input(Path(_transformers()[1])).items()}]


def image_encoder_seeds(_: Path) -> list[Input]:
    """A local ViT."""
    said = {"size": {"height": 16, "width": 16}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    files = {f"enc/{name}": content for name, content in read_input(Path(_transformers()[0])).items()}
    return [files, {**files, "enc/preprocessor_config.json": json.dumps(said).encode()}]


def open_text(folder: Path, out: Path, rng: Random) -> None:
    """``features extract --encoder-text DIR``."""
    from alignrec_geo.content.encoders import open_text_encoder

    encoder = open_text_encoder(str(folder / "enc"))
    found = encoder.encode(encoder.tokenize(["a red mug", ""]))
    if found.pooled.shape != (2, encoder.width):
        raise Wrong("vectors that are none")


def open_image(folder: Path, out: Path, rng: Random) -> None:
    """``features extract --encoder-image DIR``."""
    from alignrec_geo.content.encoders import open_image_encoder

    encoder = open_image_encoder(str(folder / "enc"))
    found = encoder.encode(encoder.prepare(Image.new("RGB", (9, 5)))[None])
    if found.pooled.shape != (1, encoder.width):
        raise Wrong("vectors that are none")


def public_seeds(folder: Path) -> list[Input]:
    """A small BEiT-3 checkpoint in the public layout."""
    from tests.content.beit3.tiny_beit3 import SMALL_SHAPES, made_up_state

    torch.save({"model": made_up_state(SMALL_SHAPES)}, folder / "a.pth")
    torch.save({"model": made_up_state(SMALL_SHAPES)}, folder / "b.pth", _use_new_zipfile_serialization=False)
    return [{"beit3.pth": (folder / name).read_bytes()} for name in ("a.pth", "b.pth")]


def open_public(folder: Path, out: Path, rng: Random) -> None:
    """``pretrain --encoder beit3-base --checkpoint FILE``."""
    import logging

    from alignrec_geo.content.beit3.checkpoint import load_beit3
    from alignrec_geo.content.beit3.model import Beit3Model
    from tests.content.beit3.tiny_beit3 import small_config

    logging.getLogger("alignrec_geo").setLevel(logging.ERROR)
    model: Any = load_beit3(Beit3Model, folder / "beit3.pth", small_config())
    if any(part.is_meta for part in model.parameters()):
        raise Wrong("weights that were not loaded")


def pieces_seeds(folder: Path) -> list[Input]:
    """A sentencepiece file."""
    from tests.content.beit3.test_tokenizer import model_file

    return [{"beit3.spm": model_file(folder / "a").read_bytes()}]


def open_pieces(folder: Path, out: Path, rng: Random) -> None:
    """``pretrain --tokenizer FILE``."""
    from alignrec_geo.content.beit3.tokenizer import load_beit3_tokenizer
    from tests.content.beit3.test_tokenizer import PIECES

    load_beit3_tokenizer(folder / "beit3.spm", len(PIECES) + 2)("a red mug")


TARGETS = (
    Target("pretrained", 800, pretrained_seeds, open_encoder, with_tokenizer, quick=False),
    Target("pretraining", 600, resumed_seeds, resume_pretraining, quick=False),
    Target("text-encoder", 500, text_encoder_seeds, open_text, noise="Ignored unknown kwarg option", quick=False),
    Target("image-encoder", 500, image_encoder_seeds, open_image, quick=False),
    Target("beit3-checkpoint", 700, public_seeds, open_public, quick=False),
    Target("beit3-pieces", 4_000, pieces_seeds, open_pieces, quick=False),
)
