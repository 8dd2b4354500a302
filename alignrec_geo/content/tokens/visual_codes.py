"""What a masked patch is to be recognised as: the number of a visual word, or its pixels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import unfold

from alignrec_geo.content.tokens.kmeans import mini_batch_kmeans, nearest_centres
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.randomness import child_generator
from alignrec_geo.reading import reading
from alignrec_geo.tensors import read_tensors


@dataclass(frozen=True)
class VisualCodebook:
    """Visual words: a patch's code is the number of the nearest centre of its vector.

    `BEiT <https://arxiv.org/abs/2106.08254>`_ predicts the words of a learned tokenizer; here they are clusters of the
    patch vectors of a frozen encoder, or centres of the user's own.

    Args:
        centres: ``[K, C]`` float32, finite.
        encoder: fingerprint of the encoder whose patches they were fitted to; empty if not known.

    Example:
        >>> import torch
        >>> book = VisualCodebook(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        >>> book.codes(torch.tensor([[[0.9, 0.8], [0.1, 0.0]]])).tolist()
        [[1, 0]]
    """

    centres: Tensor = field(repr=False)
    encoder: str = ""

    def __post_init__(self) -> None:
        if self.centres.dim() != 2 or 0 in self.centres.shape or not self.centres.isfinite().all():
            raise InputError(f"a codebook is a finite matrix [codes, width] (got shape {tuple(self.centres.shape)})")

    def codes(self, patches: Tensor) -> Tensor:
        """Codes of patches ``[…, C]``: ``[…]`` int64.

        Raises:
            InputError: the patches have another width.
        """
        if patches.shape[-1] != self.centres.shape[1]:
            raise InputError(
                f"the codebook is {self.centres.shape[1]} wide and the patches {patches.shape[-1]}; it belongs to "
                "another encoder"
            )
        flat = patches.reshape(-1, patches.shape[-1]).float()
        return nearest_centres(flat, self.centres.to(flat.device)).view(patches.shape[:-1])

    @classmethod
    def fit(cls, patches: NDArray[Any], k: int, seed: int, encoder: str = "", steps: int = 200) -> "VisualCodebook":
        """Cluster patch vectors.

        Args:
            patches: ``[N, P, C]``, a memory-mapped array for example.
            k: number of codes; 256 to 1024 suit a few thousand images.
            seed: of the run.
            encoder: fingerprint of the encoder that made them.
            steps: batches of k-means.

        Raises:
            InputError: there are fewer patches than codes.
        """
        flat = patches.reshape(-1, patches.shape[-1])
        return cls(mini_batch_kmeans(flat, k, child_generator(seed, "visual-codes"), steps), encoder)

    def save(self, path: Path) -> None:
        """Write a safetensors file, atomically."""
        with atomic_path(path) as staging:
            save_file({"centres": self.centres.contiguous()}, staging, metadata={"encoder": self.encoder})

    @classmethod
    def load(cls, path: Path) -> "VisualCodebook":
        """Read a codebook: a safetensors file with one matrix ``centres`` ``[K, C]``, made by :meth:`save` or not.

        Raises:
            InputError: the file is missing, cannot be read, or holds no such matrix.
        """
        tensors, header = read_tensors(path, ("centres",))
        with reading(path, "codebook"):
            if not tensors["centres"].is_floating_point():
                raise InputError(f"{path}: a codebook holds floats (got {tensors['centres'].dtype})")
            return cls(tensors["centres"].float(), header.get("encoder", ""))


def pixel_targets(images: Tensor, patch: int) -> Tensor:
    r"""Pixels of every patch, each patch brought to mean 0 and standard deviation 1 over its own pixels.

    The regression target of `masked autoencoders <https://arxiv.org/abs/2111.06377>`_; it needs no codebook.

    Args:
        images: ``[B, 3, H, W]`` float.
        patch: side of a patch; divides ``H`` and ``W``.

    Returns:
        ``[B, P, 3 * patch * patch]``, patches row by row.

    Raises:
        InputError: the patches do not fit.

    Example:
        >>> import torch
        >>> pixel_targets(torch.rand(2, 3, 8, 8, generator=torch.Generator()), 4).shape
        torch.Size([2, 4, 48])
    """
    height, width = images.shape[-2:]
    if height % patch or width % patch:
        raise InputError(f"patches of side {patch} do not fit images of {height} x {width}")
    pixels = unfold(images, patch, stride=patch).transpose(1, 2)  # [B, P, 3·p·p]
    centred = pixels - pixels.mean(dim=2, keepdim=True)
    return centred / (pixels.var(dim=2, keepdim=True, unbiased=False) + 1e-6).sqrt()
