"""From what ``pretrain`` was asked for to the task that does it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import BaseModel

from alignrec_geo.cli.single_modality import check_both_modalities, check_two_matrices
from alignrec_geo.content.beit3.settings import Beit3Settings
from alignrec_geo.content.beit3.task import Beit3Task
from alignrec_geo.content.frozen.task import FrozenConfig, FrozenTask
from alignrec_geo.content.item_encoder import PRETRAINED, WHITENED
from alignrec_geo.content.matrices.task import FeaturesConfig, FeaturesTask
from alignrec_geo.content.pretraining.loop import PretrainConfig
from alignrec_geo.content.pretraining.task import PretrainTask
from alignrec_geo.content.progress import NamedProgress
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.settings import checked, parse_setting

SHAPES: dict[str, type[BaseModel]] = {
    "frozen": FrozenConfig,
    "features": FeaturesConfig,
    "beit3-tiny": Beit3Settings,
    "beit3-base": Beit3Settings,
}
"""Settings of every kind of encoder."""


class Sources(NamedTuple):
    """Where encoders, weights and matrices come from."""

    image: str = "package"
    """The frozen image encoder, ``package`` or a local folder."""
    text: str = "package"
    """The frozen text encoder."""
    features: str | None = None
    """Names of feature matrices, comma-separated."""
    checkpoint: Path | None = None
    """Weights of BEiT-3."""
    tokenizer: Path | None = None
    """``beit3.spm`` of the checkpoint."""
    codebook: Path | None = None
    """Visual codes of the user's own."""
    cache: Path | None = None
    """Folder of the token caches."""


def loop_and_shape(kind: str, given: Iterable[str]) -> tuple[PretrainConfig, BaseModel]:
    """Sort the pairs of ``--set`` into the settings of the loop and those of the encoder.

    Raises:
        InputError: an unknown setting, or an impossible value.
    """
    sections: dict[str, type[BaseModel]] = {"loop": PretrainConfig, "encoder": SHAPES[kind]}
    values: dict[str, dict[str, object]] = {"loop": dict(getattr(SHAPES[kind], "loop_defaults", {})), "encoder": {}}
    for setting in given:
        section, key, value = parse_setting(setting, sections)
        values[section][key] = value
    shape = checked(SHAPES[kind], values["encoder"], section="encoder")
    return checked(PretrainConfig, values["loop"], section="loop"), shape


def make_task(
    dataset: Dataset,
    kind: str,
    shape: BaseModel,
    sources: Sources,
    seed: int,
    report: NamedProgress | None,
    device: torch.device,
) -> PretrainTask:
    """Make the task; frozen encoders run here, and what they say is cached.

    Raises:
        InputError: an option belongs to another kind of encoder, or the task says what is missing.
    """
    _refuse_foreign(kind, sources)
    if isinstance(shape, FeaturesConfig):
        matrices = _matrices(dataset, sources.features)
        check_two_matrices(dataset, matrices)
        return FeaturesTask(dataset, matrices, shape, seed)
    check_both_modalities(dataset)
    if isinstance(shape, FrozenConfig):
        encoders = sources.image, sources.text
        return FrozenTask(dataset, encoders, shape, seed, cache=sources.cache, progress=report, device=device)
    assert isinstance(shape, Beit3Settings)
    return Beit3Task(
        dataset,
        "base" if kind == "beit3-base" else "tiny",
        shape,
        checkpoint=sources.checkpoint,
        tokenizer=sources.tokenizer,
        image_encoder=sources.image,
        codebook=sources.codebook,
        seed=seed,
        cache=sources.cache,
        progress=report,
        device=device,
    )


def _refuse_foreign(kind: str, sources: Sources) -> None:
    """Refuse options that this kind would ignore."""
    beit3 = ("beit3-tiny", "beit3-base")
    owners = {"features": ("features",), "checkpoint": beit3, "tokenizer": beit3, "codebook": beit3}
    for option, kinds in owners.items():
        if getattr(sources, option) is not None and kind not in kinds:
            raise InputError(f"--{option} is for --encoder {' or '.join(kinds)} (got '{kind}')")


def _matrices(dataset: Dataset, given: str | None) -> list[str]:
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    made = (PRETRAINED, WHITENED)
    return [name for name in dataset.feature_names if dataset.features(name).meta.get("made by") not in made]
