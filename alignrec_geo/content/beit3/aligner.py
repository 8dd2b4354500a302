"""BEiT-3 with its two heads, and an item vector that has to say what the item is."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from alignrec_geo.content.beit3.checkpoint import load_beit3
from alignrec_geo.content.beit3.config import Beit3Config, ImageTarget
from alignrec_geo.content.beit3.data import Beit3Batch
from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.model import Beit3Model, Head
from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator


class Beit3Aligner(nn.Module):
    r"""Inter-content alignment by BEiT-3, and a term for the vector.

    .. math::
        \mathcal L = \mathcal L_{words} + \mathcal L_{patches}
        + \lambda \Big( -\sum_w q_i(w) \log p(w \mid x_i) + \ell(z_i, x_i) \Big)

    The first two are those of :class:`~alignrec_geo.content.beit3.heads.Beit3ForPreTraining`. They never ask anything
    of CLS, the item's vector :math:`x_i`: a model from scratch leaves it empty. In the third, CLS predicts from the
    masked sequence the words of the item (:math:`q_i`, weighted by inverse document frequency) and its look
    :math:`z_i`, those that are hidden included: the distribution of its visual codes (cross-entropy), or where pixels
    are predicted a thumbnail (squared error).

    Args:
        beit3: the model with its heads.
        words: columns of the bags of words.
        look: columns of the looks.
        vector_weight: λ.
        seed: of the initial values of the two new heads.
    """

    def __init__(
        self, beit3: Beit3ForPreTraining, words: int, look: int, vector_weight: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.ica, self.vector_weight = beit3, vector_weight
        self.bag_head, self.look_head = Head(beit3.config.hidden_size, words), Head(beit3.config.hidden_size, look)
        generator = child_generator(seed, "init vector heads")
        for head in (self.bag_head, self.look_head):
            nn.init.normal_(head.weight, 0.0, beit3.config.initializer_range, generator=generator)
            nn.init.zeros_(head.bias)

    def forward(self, batch: Beit3Batch) -> dict[str, Tensor]:
        """Return the loss terms ``words``, ``patches`` and ``vector``."""
        out = self.ica(
            batch.pixels,
            batch.ids,
            batch.words_present,
            batch.patch_mask,
            batch.word_mask,
            batch.image_present,
            None if self._pixels else batch.codes,
        )
        return {
            "words": out.words,
            "patches": out.patches,
            "vector": self.vector_weight * (self._bag_loss(out.vector, batch) + self._look_loss(out.vector, batch)),
        }

    @property
    def _pixels(self) -> bool:
        return bool(self.ica.config.image_target == "pixels")

    def _bag_loss(self, vector: Tensor, batch: Beit3Batch) -> Tensor:
        return _distribution_loss(self.bag_head(vector), batch.bag)

    def _look_loss(self, vector: Tensor, batch: Beit3Batch) -> Tensor:
        rows = batch.has_look
        predicted: Tensor = self.look_head(vector[rows]).float()
        if self._pixels:
            return (predicted - batch.look[rows]).square().sum() / max(predicted.numel(), 1)
        return _distribution_loss(predicted, batch.look[rows])


def _distribution_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy with a distribution, averaged over the rows that have one."""
    having = (wanted.sum(dim=1) > 0).sum().clamp_min(1)
    return -(wanted * logits.float().log_softmax(dim=1)).sum() / having


def beit3_from_checkpoint(
    path: Path, config: Beit3Config, image_target: ImageTarget, codes: int, seed: int = 0
) -> Beit3ForPreTraining:
    """Load BEiT-3 to go on with: the encoder and, if it is there, the head over words.

    The head over patches is new: its codes are those of this data set.

    Args:
        path: a public checkpoint, or a folder of ``save_pretrained``.
        config: the shape that a public checkpoint is read with; a folder has its own.
        image_target: what is predicted at masked patches.
        codes: number of visual codes.
        seed: of new heads.

    Raises:
        InputError: it cannot be read or has another shape, in the words of
            :func:`~alignrec_geo.content.beit3.checkpoint.load_beit3`.
    """
    words: Head | None = None
    try:
        whole = load_beit3(Beit3ForPreTraining, path, config)
        encoder, words = whole.beit3, whole.mlm_head
    except InputError:  # fine-tuned checkpoints have other heads, or none; the encoder must be whole
        encoder = load_beit3(Beit3Model, path, config)
    shape = copy.deepcopy(encoder.config)
    shape.image_target, shape.visual_codes = image_target, codes
    with torch.device("meta"):
        model = Beit3ForPreTraining(shape)
    fresh = child_generator(seed, "init heads")
    model.beit3 = encoder
    model.mlm_head = words or _new_head(shape.hidden_size, shape.vocab_size, shape.initializer_range, fresh)
    model.mim_head = _new_head(shape.hidden_size, shape.image_outputs, shape.initializer_range, fresh)
    return model


def _new_head(inputs: int, outputs: int, spread: float, generator: torch.Generator) -> Head:
    head = Head(inputs, outputs)
    nn.init.normal_(head.weight, 0.0, spread, generator=generator)
    nn.init.zeros_(head.bias)
    return head
