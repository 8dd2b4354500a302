"""Stage 1 on feature matrices: for data sets whose images, texts and sounds are not there, only vectors of them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from alignrec_geo.content.encoders.running import on_device
from alignrec_geo.content.matrices.model import FeaturesModel
from alignrec_geo.content.pretraining.encode import encode_in_batches
from alignrec_geo.content.pretraining.held_out import derangement
from alignrec_geo.content.pretraining.masking import mask_modalities
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import SAME
from alignrec_geo.settings import Settings
from alignrec_geo.typing import Int64

_AT_A_TIME = 1024


class FeaturesConfig(Settings):
    """Shape of the stack and of what is masked."""

    loop_defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 128, "precision": "float32"}
    """Settings of the loop whose default is another here."""

    dim: int = Field(default=256, ge=8)
    """Width of the stack, and of the item vectors."""
    layers: int = Field(default=2, ge=1)
    """Multiway blocks."""
    heads: int = Field(default=4, ge=1)
    """Attention heads; they divide ``dim``."""
    shrink: float = Field(default=0.01, gt=0.0)
    """Shrinkage of the whitening of every matrix; the less, the more directions of little variance count."""
    masked_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the items of a step that have modalities masked; the others are encoded whole."""
    contrast_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the contrast between predictions and the true vectors of the batch."""
    temperature: float = Field(default=0.1, gt=0.0)
    """Of the contrast."""
    vector_weight: float = Field(default=1.0, ge=0.0)
    """Weight of what the item's vector itself has to predict."""


class MatricesBatch(NamedTuple):
    """Items with modalities to predict.

    Args:
        vectors: per modality, ``[B, width]``.
        present: which there are, ``[B, M]`` bool.
        hidden: which are to be predicted, ``[B, M]`` bool.
    """

    vectors: list[Tensor]
    present: Tensor
    hidden: Tensor


class FeaturesTask:
    """Whole modalities are masked and predicted from the others; see :class:`FeaturesModel`.

    Args:
        dataset: an open data set.
        features: names of its matrices, at least two.
        config: shapes and shares.
        seed: of the initial values.

    Raises:
        InputError: fewer than two matrices, one of them twice or unknown, or no item has two modalities.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> task = FeaturesTask(make_catalogue(n_users=60, n_items=40, image_size=16), ["image", "text"])
        >>> task.vectors(task.items[:3]).shape
        torch.Size([3, 256])
    """

    unreadable: Mapping[str, str] = {}

    def __init__(
        self, dataset: Dataset, features: Sequence[str], config: FeaturesConfig | None = None, seed: int = 0
    ) -> None:
        if len(features) < 2 or len(set(features)) < len(features):
            got = ", ".join(features) or "none"
            raise InputError(f"at least two different feature matrices are needed; one predicts another (got {got})")
        self.settings = config or FeaturesConfig()
        self.modalities = tuple(features)
        stored = [dataset.features(name) for name in features]
        self._matrices = [torch.from_numpy(part.matrix) for part in stored]
        self._has = torch.from_numpy(np.stack([part.present for part in stored], axis=1))  # [I, M]
        self.items: Int64 = np.flatnonzero(self._has.sum(dim=1).numpy() >= 2).astype(np.int64)
        if len(self.items) == 0:
            raise InputError(f"no item of '{dataset.name}' has two of: {', '.join(features)}")
        shape = self.settings
        self.model = FeaturesModel(
            [matrix.shape[1] for matrix in self._matrices],
            shape.dim,
            shape.layers,
            shape.heads,
            shape.contrast_weight,
            shape.temperature,
            shape.vector_weight,
            seed,
        )
        for number, matrix in enumerate(self._matrices):
            rows = matrix[self._has[:, number]]
            if len(rows) and (rows - rows.mean(dim=0)).abs().max() <= SAME * rows.abs().max():
                raise InputError(
                    f"features '{features[number]}' are the same for all items that have them; they predict nothing"
                )
            self.model.fit_input(number, rows, shape.shrink)
        self.width = shape.dim

    def batch(self, items: Int64, generator: torch.Generator) -> MatricesBatch:
        """Vectors of items, which of them there are and which are hidden, on the model's device."""
        rows = torch.from_numpy(items)
        chosen = torch.rand(len(items), 1, generator=generator) < self.settings.masked_share
        hidden = mask_modalities(self._has[rows], generator) & chosen
        return MatricesBatch(*self._rows(rows), on_device(hidden, self._device))

    def loss(self, batch: MatricesBatch) -> dict[str, Tensor]:
        """``regression``, ``contrast`` and ``vector`` of a batch."""
        terms: dict[str, Tensor] = self.model(*batch)
        return terms

    @torch.no_grad()
    def held_out(self, items: Int64, generator: torch.Generator) -> dict[str, float]:
        """Squared error of every modality, predicted from the others of the item and from those of another item.

        A modality that fewer than two of the items have is left out.
        """
        self.model.eval()
        found: dict[str, float] = {}
        for number, name in enumerate(self.modalities):
            rows = torch.from_numpy(items)[self._has[items, number]]
            if len(rows) < 2:
                continue
            partner = rows[derangement(len(rows), generator)]
            target, _ = self._rows(rows)
            for key, others in ((name, rows), (f"{name} shuffled", partner)):
                vectors, present = self._rows(others)
                found[key] = float(self.model.prediction_error(vectors, present, number, target[number]))
        return found

    def vectors(self, items: Int64, masked: Collection[str] = ()) -> Tensor:
        """The vectors of the items; missing modalities and those in ``masked`` are mask tokens."""
        self.model.eval()
        kept = torch.tensor([name not in masked for name in self.modalities])

        def encode(rows: Int64) -> Tensor:
            vectors, present = self._rows(torch.from_numpy(rows))
            return self.model.vectors(vectors, present & kept.to(present.device))

        return encode_in_batches(encode, items, self.width, _AT_A_TIME)

    def present(self) -> NDArray[np.bool_]:
        """Which items have any modality."""
        return np.asarray(self._has.any(dim=1).numpy())

    def save(self, folder: Path) -> None:
        """Nothing: weights and ``config.json`` are all there is."""

    def config(self) -> dict[str, Any]:
        """Settings, modalities and their widths."""
        return {
            "settings": self.settings.model_dump(),
            "modalities": list(self.modalities),
            "widths": [matrix.shape[1] for matrix in self._matrices],
        }

    def _rows(self, items: Tensor) -> tuple[list[Tensor], Tensor]:
        """Vectors per modality ``[n, width]`` and which there are ``[n, M]``, on the model's device."""
        vectors = [on_device(matrix[items], self._device) for matrix in self._matrices]
        return vectors, on_device(self._has[items], self._device)

    @property
    def _device(self) -> torch.device:
        return self.model.stack.cls_token.device
