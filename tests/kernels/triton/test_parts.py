import pytest
import torch

from alignrec_geo.kernels.triton.parts import TILE, split


@pytest.mark.slow
def test_three_parts_are_the_number(device):
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(3, 70, 5, generator=generator) * 10.0 ** torch.randint(-20, 20, (3, 70, 5), generator=generator)
    narrow = torch.randn(70, 100, generator=generator)
    parts = split([wide.to(device), narrow.to(device)]).cpu()
    assert parts.shape == (3, 2 * TILE, 3 * TILE + 2 * TILE)
    whole = parts.double().sum(dim=0)
    for table, first in (*((wide[i], i * TILE) for i in range(3)), (narrow, 3 * TILE)):
        found = whole[:70, first : first + table.shape[1]]
        assert float(((found - table) / table).abs().max()) <= 2.0**-23
    assert not whole[70:].any()
    assert not whole[:, 5:TILE].any()


def test_small_integers_are_one_part(device):
    parts = split([torch.arange(-100.0, 100.0).view(4, 50).to(device)]).cpu()
    assert torch.equal(parts[0, :4, :50].float(), torch.arange(-100.0, 100.0).view(4, 50))
    assert not parts[1:].any()
