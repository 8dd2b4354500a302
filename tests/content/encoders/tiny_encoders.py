"""Tiny random encoders as local transformers folders, and a small data set with images and texts."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, ViTConfig, ViTModel

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from tests.dataset.toys import frame, png

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "mug", "pen", "cup", "."]


def text_folder(folder: Path, seed: int = 0, words: Iterable[str] = (), width: int = 8) -> Path:
    folder.mkdir(parents=True)
    known = [*WORDS, *sorted(set(words) - set(WORDS))]
    numbers = {word: number for number, word in enumerate(known)}
    BertTokenizerFast(vocab=numbers, model_max_length=16).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(known), hidden_size=width, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def vision_folder(folder: Path, pooler: bool = False, width: int = 8) -> Path:
    folder.mkdir(parents=True)
    config = ViTConfig(
        hidden_size=width, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ViTModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    return folder


def shop(folder: Path) -> Dataset:
    """Items mug (image and text), pen (image, title only), cup (nothing)."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    (photos / "mug.png").write_bytes(png((200, 30, 30)))
    (photos / "pen.png").write_bytes(png((30, 30, 200)))
    items = pl.DataFrame(
        {"id": ["mug", "pen", "cup"], "title": ["a mug", "a pen", None], "text": ["red mug .", None, None]},
        schema={"id": pl.String, "title": pl.String, "text": pl.String},
    )
    tables = Tables(interactions=frame(), items=items, images=ImageSource(photos))
    return build_dataset("shop", tables, SplitConfig(rule="given")).save(folder / "shop")
