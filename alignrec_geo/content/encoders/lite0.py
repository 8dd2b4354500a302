"""EfficientNet-Lite0 from its PyPI packages: an image's vector and a map of 14 x 14 cells."""

import hashlib
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from alignrec_geo.content.encoders.base import PatchMap
from alignrec_geo.content.encoders.packages import LITE0, LITE_CODE
from alignrec_geo.content.encoders.running import in_half_precision, on_device
from alignrec_geo.image_files import stretched

SIDE = 224
MAP_BLOCK = 10
"""The last block whose map still has 14 x 14 cells, one for each patch of 16 pixels."""


class Lite0ImageEncoder:
    r"""`EfficientNet <https://arxiv.org/abs/1905.11946>`_-Lite0 trained on ImageNet, frozen.

    An image is stretched to 224 x 224 (all of it is seen, and every cell of the map is the same share of it), a pixel
    :math:`x \in 0 \ldots 255` becomes :math:`(x - 127) / 128`. The vector is the mean of the last layer over space,
    1280 wide; the map is the output of block 10, 14 x 14 cells of 112 channels.

    Args:
        device: where to run.

    Shapes:
        ``encode``: ``[B, 224, 224, 3]`` uint8 -> patches ``[B, 196, 112]``, pooled ``[B, 1280]``.

    Raises:
        InputError: a package is not installed, or is not what is pinned.
    """

    name = LITE0.label
    width = 1280
    grid = (14, 14)
    patch_width = 112

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        weights = LITE0.locate()
        LITE_CODE.locate()
        self.fingerprint = hashlib.sha256(f"lite0-1 {LITE0.sha256} {LITE_CODE.sha256}".encode()).hexdigest()
        with torch.random.fork_rng(devices=[]):  # the package draws initial weights, which the file then replaces
            net: Any = import_module(LITE_CODE.module).EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        # depth-wise convolutions on a CPU are about twice as fast with channels last
        self._net = net.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Stretch to 224 x 224 RGB."""
        return stretched(image, SIDE)

    @torch.inference_mode()
    def encode(self, images: NDArray[np.uint8]) -> PatchMap:
        """Encode prepared images."""
        pixels = on_device(torch.from_numpy(images), self.device).permute(0, 3, 1, 2)  # channels last already
        return in_half_precision(lambda: self._forward((pixels.float() - 127) / 128), self.device)

    def _forward(self, pixels: Tensor) -> PatchMap:
        net = self._net
        x = net._swish(net._bn0(net._conv_stem(pixels)))
        for number, block in enumerate(net._blocks):
            x = block(x)
            if number == MAP_BLOCK:
                patches = x.flatten(2).transpose(1, 2).contiguous()  # [B, 196, 112]
        return PatchMap(patches.float(), net._swish(net._bn1(net._conv_head(x))).float().mean(dim=(2, 3)))
