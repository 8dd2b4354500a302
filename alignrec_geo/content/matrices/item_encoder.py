"""The stack over feature matrices for items one by one: new ones, or with a modality hidden."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.matrices.model import FeaturesModel
from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import Whitening


class FeaturesItemEncoder:
    """The vectors of an item's modalities through the fused pass, then the whitening.

    Args:
        model: as trained.
        modalities: names of its matrices, in the model's order.
        widths: of the matrices.
        whitening: of the vectors, if any.
        device: where to run.

    Attributes:
        model: in evaluation mode.
        widths: of the matrices.
        whitening: of the vectors, if any.
    """

    name = "multiway stack on feature matrices"

    def __init__(
        self,
        model: FeaturesModel,
        modalities: Sequence[str],
        widths: Sequence[int],
        whitening: Whitening | None,
        device: torch.device,
    ) -> None:
        self.model = model.to(device).eval()
        self.modalities = tuple(modalities)
        self.widths, self.whitening, self._device = tuple(widths), whitening, device
        self.width = model.stack.dim

    @torch.no_grad()
    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """Encode the ``vectors`` of items; see :class:`~alignrec_geo.content.item_encoder.ItemEncoder`.

        Raises:
            InputError: a vector has another width than the matrix, or is not finite.
        """
        parts, present = [], torch.zeros(len(items), len(self.modalities), dtype=torch.bool)
        for number, (name, width) in enumerate(zip(self.modalities, self.widths, strict=True)):
            rows = torch.zeros(len(items), width)
            for row, item in enumerate(items):
                if name in item.vectors and name not in masked:
                    rows[row], present[row, number] = _vector(item, name, width), True
            parts.append(rows.to(self._device))
        vectors = self.model.vectors(parts, present.to(self._device)).cpu()
        has = present.any(dim=1)
        vectors = vectors if self.whitening is None else self.whitening(vectors)
        return vectors * has[:, None], has


def _vector(item: NewItem, name: str, width: int) -> Tensor:
    vector = np.asarray(item.vectors[name], dtype=np.float32)
    if vector.shape != (width,):
        raise InputError(f"item '{item.id}': '{name}' must have {width} numbers (got shape {vector.shape})")
    if not np.isfinite(vector).all():
        raise InputError(f"item '{item.id}': '{name}' holds NaN or infinity")
    return torch.from_numpy(vector)


def open_features_encoder(
    folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
) -> FeaturesItemEncoder:
    """Open what ``pretrain --encoder features`` left; the tensors hold all that is needed."""
    task = config["task"]
    settings, widths, names = task["settings"], [int(width) for width in task["widths"]], task["modalities"]
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names) and len(names) == len(widths)):
        raise InputError(f"{folder}: 'modalities' must be one name for each of 'widths' (got {names!r:.80})")
    spec = [settings["dim"], *widths]
    found = [tensors["stack.cls_token"].shape[-1], *(len(tensors[f"predict.{n}.bias"]) for n in range(len(widths)))]
    if spec != found:  # before a model of any size is made
        raise InputError(f"{folder}: 'dim' and 'widths' are {spec}, those of the weights {found}")
    model = FeaturesModel(widths, settings["dim"], settings["layers"], settings["heads"])
    whitening = Whitening.of(tensors)
    outside = {} if whitening is None else whitening.tensors()
    model.load_state_dict({name: part for name, part in tensors.items() if name not in outside})
    return FeaturesItemEncoder(model, names, widths, whitening, device)
