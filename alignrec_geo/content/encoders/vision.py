"""Images through any vision model of ``transformers``: a map of cells, one vector per image."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from alignrec_geo.content.encoders.base import PatchMap
from alignrec_geo.content.encoders.folder import fingerprint, load_model, read_settings
from alignrec_geo.content.encoders.running import in_half_precision, on_device
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import stretched
from alignrec_geo.limits import limit
from alignrec_geo.reading import reading

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CHANNELS = (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD))


class TransformerImageEncoder:
    r"""A frozen vision model from a local folder: a ViT (DINO, BEiT, …) or a convolutional network (ResNet, …).

    An image is stretched to the input size and a pixel :math:`x` becomes :math:`(x / 255 - \mu) / \sigma`, with size,
    :math:`\mu` and :math:`\sigma` from the folder's ``preprocessor_config.json`` (ImageNet's where it says nothing).
    The map is the last hidden state without the tokens that come before the patches; the vector is the model's pooled
    output, or the mean of the map where the file holds no pooler.

    Args:
        folder: a local ``transformers`` folder with safetensors weights.
        device: where to run.

    Shapes:
        ``encode``: ``[B, S, S, 3]`` uint8 -> patches ``[B, P, C]``, pooled ``[B, D]``.

    Raises:
        InputError: the folder cannot be used, or holds no vision model.
    """

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.fingerprint = fingerprint(folder, encoder="image-1")
        self.name = folder.resolve().name
        self._model, self._has_pooler = load_model(folder, self.device)
        file = folder / "preprocessor_config.json"
        with reading(file, "settings of images"):
            said = read_settings(file)
            self._side = _side(said, int(getattr(self._model.config, "image_size", 224)))
            if not 1 <= self._side**2 <= limit("image_pixels"):
                raise InputError(f"{file}: images cannot be {self._side} pixels wide")
            self._mean, self._std = (self._per_channel(file, said, *of) for of in _CHANNELS)
            if not (self._std > 0).all():
                raise InputError(f"{file}: 'image_std' must be above 0")
        try:
            with reading(folder, "vision model"):
                blank = self.encode(np.zeros((1, self._side, self._side, 3), dtype=np.uint8))
        except InputError as error:
            raise InputError(f"{folder}: not a vision model; it does not take an image ({error})") from None
        self.width, self.patch_width = blank.pooled.shape[1], blank.patches.shape[2]
        cells = round(blank.patches.shape[1] ** 0.5)
        self.grid = (cells, cells)

    def _per_channel(self, file: Path, said: dict[str, Any], name: str, default: tuple[float, float, float]) -> Tensor:
        values = torch.tensor(said.get(name) or default, dtype=torch.float32, device=self.device)
        if not values.isfinite().all():
            raise InputError(f"{file}: '{name}' must be finite")
        return values.view(1, 3, 1, 1)

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Stretch to the input size, RGB."""
        return stretched(image, self._side)

    @torch.inference_mode()
    def encode(self, images: NDArray[np.uint8]) -> PatchMap:
        """Encode prepared images."""
        pixels = on_device(torch.from_numpy(images), self.device).permute(0, 3, 1, 2).float() / 255
        return in_half_precision(lambda: self._forward((pixels - self._mean) / self._std), self.device)

    def _forward(self, pixels: Tensor) -> PatchMap:
        out = self._model(pixel_values=pixels)
        patches = _cells(out.last_hidden_state).float()  # [B, P, C]
        pooled = getattr(out, "pooler_output", None) if self._has_pooler else None
        return PatchMap(patches, patches.mean(dim=1) if pooled is None else pooled.flatten(1).float())


def _cells(states: Tensor) -> Tensor:
    """The square map at the end of the sequence ``[B, 1 + … + P, C]``, or a convolutional map ``[B, C, h, w]``."""
    if states.dim() == 4:
        return states.flatten(2).transpose(1, 2).contiguous()
    cells = int(states.shape[1] ** 0.5) ** 2
    return states[:, states.shape[1] - cells :]


def _side(said: dict[str, object], default: int) -> int:
    """The input size: that of the crop, else of the resizing, else the model's."""
    for key in ("crop_size", "size"):
        size = said.get(key)
        if isinstance(size, dict):
            size = size.get("height") or size.get("shortest_edge")
        if isinstance(size, int):
            return size
    return default
