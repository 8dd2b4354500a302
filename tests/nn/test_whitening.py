import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import Whitening


def vectors() -> torch.Tensor:
    draw = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    return draw * torch.tensor([10.0, 3.0, 1.0, 0.1]) + 5.0


def test_directions_are_evened_out_and_the_mean_is_gone():
    white = Whitening.fit(vectors(), shrink=1e-6)(vectors())
    assert white.mean(dim=0).abs().max() < 1e-4
    assert torch.cov(white.T).diagonal() == pytest.approx(torch.ones(4), abs=0.02)


def test_shrinkage_holds_back_what_varies_little():
    spread = torch.linalg.eigvalsh(torch.cov(Whitening.fit(vectors(), shrink=0.1)(vectors()).T))
    assert spread.tolist() == sorted(spread.tolist())
    assert spread[0] < 0.01
    assert spread[-1] == pytest.approx(1 / 1.1, abs=0.01)


def test_it_is_stored_and_read():
    made = Whitening.fit(vectors())
    read = Whitening.of(made.tensors())
    assert torch.equal(read(vectors()), made(vectors()))
    assert Whitening.of({"stack.cls_token": torch.zeros(1)}) is None


def test_constant_vectors_become_zero():
    assert Whitening.fit(torch.ones(3, 2))(torch.ones(3, 2)).abs().max() == 0


@pytest.mark.parametrize(("rows", "shrink"), [(3, 0.0), (3, -1.0), (0, 0.1)])
def test_impossible_requests(rows, shrink):
    with pytest.raises(InputError, match="got"):
        Whitening.fit(torch.ones(rows, 2), shrink)
