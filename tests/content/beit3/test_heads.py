import pytest
import torch

from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.model import Beit3Model
from alignrec_geo.errors import InputError
from tests.content.beit3.tiny_beit3 import items, small_config

CODES = torch.arange(27).view(3, 9) % 16


def masks() -> tuple[torch.Tensor, torch.Tensor]:
    patch_mask, word_mask = torch.zeros(3, 9, dtype=torch.bool), torch.zeros(3, 6, dtype=torch.bool)
    patch_mask[:, 2:5] = True
    word_mask[:, [0, 5]] = True  # the last is padding in two of the texts
    return patch_mask, word_mask


def test_base_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = Beit3ForPreTraining(small_config().base())
    assert sum(values.numel() for values in model.parameters()) == 276_510_730


@torch.no_grad()
def test_losses_are_means_over_masked_positions():
    model = Beit3ForPreTraining(small_config()).eval()
    pixels, ids, mask = items()
    patch_mask, word_mask = masks()
    losses = model(pixels, ids, mask, patch_mask, word_mask, patch_codes=CODES)
    states = model.beit3(pixels, ids, mask, patch_mask, word_mask)
    chosen = word_mask & mask.bool()
    torch.testing.assert_close(
        losses.words,
        -model.mlm_head(states.words).log_softmax(2).gather(2, ids[:, :, None])[:, :, 0][chosen].mean(),
    )
    torch.testing.assert_close(
        losses.patches,
        -model.mim_head(states.patches).log_softmax(2).gather(2, CODES[:, :, None])[:, :, 0][patch_mask].mean(),
    )
    torch.testing.assert_close(losses.loss, losses.words + losses.patches)
    assert torch.equal(losses.vector, states.vector)


@torch.no_grad()
def test_absent_images_and_padding_are_not_predicted():
    model = Beit3ForPreTraining(small_config()).eval()
    pixels, ids, mask = items()
    patch_mask, word_mask = masks()
    present = torch.tensor([True, False, True])
    losses = model(pixels, ids, mask, patch_mask, word_mask, present, CODES)
    kept = [0, 2]
    alone = model(pixels[kept], ids[kept], mask[kept], patch_mask[kept], word_mask[kept], patch_codes=CODES[kept])
    torch.testing.assert_close(losses.patches, alone.patches)
    only_padding = word_mask & (mask == 0)
    assert float(model(pixels, ids, mask, word_mask=only_padding).words) == 0.0
    nothing = model(pixels, ids, mask, torch.zeros_like(patch_mask), torch.zeros_like(word_mask), patch_codes=CODES)
    assert float(nothing.loss) == 0.0


@pytest.mark.parametrize("target", ["codes", "pixels"])
def test_a_few_steps_lower_both_losses_and_every_weight_learns(target):
    model = Beit3ForPreTraining(small_config(image_target=target))
    pixels, ids, mask = items()
    batch = (pixels, ids, mask, *masks(), None, CODES if target == "codes" else None)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = model(*batch)
    for _ in range(40):
        optimizer.zero_grad()
        model(*batch).loss.backward()
        optimizer.step()
    last = model(*batch)
    assert last.words.item() < 0.2 * first.words.item()
    assert last.patches.item() < 0.7 * first.patches.item()
    assert [name for name, values in model.named_parameters() if values.grad is None] == []


def test_an_encoder_folder_gets_new_heads_from_the_seed(tmp_path):
    Beit3Model(small_config(), seed=4).save_pretrained(tmp_path)
    state = torch.get_rng_state()
    models = [Beit3ForPreTraining.from_pretrained(tmp_path, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    heads = [model.mlm_head.weight for model in models]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert heads[0].std().item() == pytest.approx(0.02, rel=0.2)
    assert torch.equal(models[0].beit3.text_embed.weight, Beit3Model(small_config(), seed=4).text_embed.weight)


def test_codes_are_needed():
    pixels, ids, mask = items()
    with pytest.raises(InputError, match="patch_codes is needed"):
        Beit3ForPreTraining(small_config())(pixels, ids, mask, *masks())


def test_without_masked_words_only_patches_are_predicted():
    pixels, ids, mask = items()
    patches, words = masks()
    model = Beit3ForPreTraining(small_config(image_target="pixels"))
    out = model(pixels, ids, mask, patches)
    assert float(out.words) == 0.0
    assert torch.equal(out.loss, out.patches)
    assert float(model(pixels, ids, mask, None, words).patches) == 0.0
