import pytest
import torch

from alignrec_geo.content.pretraining.masking import mask_modalities, mask_patches, mask_words, maskable_words
from alignrec_geo.errors import InputError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("grid", "ratio", "count"), [((14, 14), 75 / 196, 75), ((7, 7), 0.4, 20), ((2, 5), 0.9, 9)])
def test_every_image_has_the_same_number_of_masked_patches(grid, ratio, count):
    mask = mask_patches(200, grid, generator(), ratio)
    assert mask.shape == (200, grid[0] * grid[1])
    assert mask.sum(dim=1).unique().tolist() == [count]


def test_patches_are_masked_in_blocks_everywhere():
    mask = mask_patches(500, (14, 14), generator()).view(500, 14, 14)
    beside = (mask[:, :, 1:] & mask[:, :, :-1]).sum() / mask[:, :, 1:].sum()
    assert float(beside) > 0.75  # independent patches: 75 / 196 = 0.38
    often = mask.float().mean(dim=0)
    assert 0.02 < float(often.min()) < float(often.max()) < 0.8
    assert len({tuple(row) for row in mask.flatten(1).tolist()}) == 500


def test_draws_come_from_the_generator_alone():
    state = torch.get_rng_state()
    words = torch.ones(20, 9, dtype=torch.bool)
    for draw in (
        lambda g: mask_patches(20, (6, 6), g),
        lambda g: mask_words(words, g, 0.4),
        lambda g: mask_modalities(words, g),
    ):
        assert torch.equal(draw(generator(1)), draw(generator(1)))
        assert not torch.equal(draw(generator(1)), draw(generator(2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_words_are_drawn_uniformly_among_the_maskable():
    ids = torch.tensor([[0, 9, 8, 7, 9, 2, 1, 1]]).expand(4000, -1)
    maskable = maskable_words(ids, special={0, 1, 2, 3})
    mask = mask_words(maskable, generator(), ratio=0.5)
    assert mask.sum(dim=1).unique().tolist() == [2]
    assert not bool((mask & ~maskable).any())
    assert mask.float().mean(dim=0)[1:5].tolist() == pytest.approx([0.5] * 4, abs=0.04)


def test_short_texts_lose_one_word_and_empty_texts_none():
    maskable = torch.tensor([[True, False, False], [False, False, False], [True, True, True]])
    assert mask_words(maskable, generator(), ratio=0.15).sum(dim=1).tolist() == [1, 0, 1]


def test_of_several_modalities_one_is_hidden_and_one_is_left():
    present = torch.tensor([[True, True, True], [True, False, True], [False, True, False], [False, False, False]])
    hidden = mask_modalities(present.repeat(500, 1), generator()).view(500, 4, 3)
    assert hidden.sum(dim=2)[:, 0].unique().tolist() == [1, 2]
    assert [hidden.sum(dim=2)[:, i].unique().tolist() for i in (1, 2, 3)] == [[1], [0], [0]]
    assert not bool((hidden & ~present).any())
    assert hidden[:, 0].float().mean(dim=0).tolist() == pytest.approx([0.5] * 3, abs=0.1)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -1, float("nan")])
def test_impossible_shares(ratio):
    with pytest.raises(InputError, match="between 0 and 1"):
        mask_patches(1, (4, 4), generator(), ratio)
    with pytest.raises(InputError, match="between 0 and 1"):
        mask_words(torch.ones(1, 2, dtype=torch.bool), generator(), ratio)
