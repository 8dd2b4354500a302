"""BEiT-3 with the two heads it is pre-trained by."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.beit3.model import Beit3Model, Beit3PreTrainedModel, Head
from alignrec_geo.content.pretraining.objective import masked_cross_entropy, masked_regression
from alignrec_geo.content.tokens.visual_codes import pixel_targets
from alignrec_geo.errors import InputError


@dataclass
class IcaOutput(ModelOutput):
    """Losses of :class:`Beit3ForPreTraining`.

    Args:
        loss: the sum of the two.
        words: loss at masked words, 0 without any.
        patches: loss at masked patches, 0 without any.
        vector: the items' vectors, read from the masked sequence, ``[n, D]``.
    """

    loss: Tensor | None = None
    words: Tensor | None = None
    patches: Tensor | None = None
    vector: Tensor | None = None


class Beit3ForPreTraining(Beit3PreTrainedModel):  # type: ignore[no-untyped-call]
    r"""BEiT-3 and inter-content alignment (ICA): mask, then predict from the fused sequence.

    .. math::
        \mathcal L_{ICA} = -\frac1{|W|} \sum_{w \in W} \log p(w \mid \text{image, other words})
        - \frac1{|V|} \sum_{v \in V} \log p(z_v \mid \text{other patches, text})

    with the masked words :math:`W`, the masked patches :math:`V` and their visual codes :math:`z`. With
    ``image_target="pixels"`` the second term is the mean squared error of the patches' scaled pixels, and no codes are
    needed. See `"BEiT-3" <https://arxiv.org/abs/2208.10442>`_ and `"AlignRec" <https://arxiv.org/abs/2403.12384>`_.

    Args:
        config: the shape.
        seed: of the initial values.

    Shapes:
        - as :class:`~alignrec_geo.content.beit3.model.Beit3Model`; ``patch_codes [n, P]`` int64
        - **output:** :class:`IcaOutput`
    """

    def __init__(self, config: Beit3Config, seed: int = 0) -> None:
        super().__init__(config, seed)
        self.beit3 = Beit3Model(config, seed)
        self.mlm_head = Head(config.hidden_size, config.vocab_size)
        self.mim_head = Head(config.hidden_size, config.image_outputs)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        patch_mask: Tensor | None = None,
        word_mask: Tensor | None = None,
        image_present: Tensor | None = None,
        patch_codes: Tensor | None = None,
    ) -> IcaOutput:
        """Return the losses; padding, and patches of absent images, are never predicted."""
        states = self.beit3(pixel_values, input_ids, attention_mask, patch_mask, word_mask, image_present)
        words = patches = states.vector.new_zeros(())
        if input_ids is not None and word_mask is not None:
            masked = word_mask if attention_mask is None else word_mask & attention_mask.bool()
            words = masked_cross_entropy(states.words, masked, input_ids, self.mlm_head)
        if pixel_values is not None and patch_mask is not None:
            masked = patch_mask if image_present is None else patch_mask & image_present[:, None]
            patches = self._patch_loss(states.patches, masked, pixel_values, patch_codes)
        return IcaOutput(loss=words + patches, words=words, patches=patches, vector=states.vector)

    def _patch_loss(self, states: Tensor, masked: Tensor, pixels: Tensor, codes: Tensor | None) -> Tensor:
        if self.config.image_target == "pixels":
            with torch.no_grad():
                targets = pixel_targets(pixels.float(), self.config.patch_size)
            return masked_regression(states, masked, targets, self.mim_head)
        if codes is None:
            raise InputError("masked patches are predicted by their visual codes: patch_codes is needed (got None)")
        return masked_cross_entropy(states, masked, codes, self.mim_head)
