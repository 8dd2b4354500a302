import pytest
import torch
from torch import nn

from alignrec_geo.errors import InputError
from alignrec_geo.models import AlignRecConfig
from alignrec_geo.nn.fusion import FUSIONS, Fuser


def rows():
    return torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", FUSIONS)
def test_shapes_draws_and_gradients(name):
    first, second = Fuser(name, 4), Fuser(name, 4)
    for fuser in (first, second):
        fuser.reset_parameters(torch.Generator().manual_seed(3))
    identity, content = rows().requires_grad_()
    fused = first(identity, content)
    torch.testing.assert_close(fused, second(identity, content))
    fused.square().sum().backward()
    for label, parameter in first.named_parameters():
        assert parameter.grad.abs().sum() > 0, label


def test_known_values():
    identity, content = rows()
    torch.testing.assert_close(Fuser("sum", 4)(identity, content), identity + content)
    torch.testing.assert_close(Fuser("mean", 4)(identity, content), (identity + content) / 2)
    for name in ("gate", "attention"):
        fuser = Fuser(name, 4)
        for parameter in fuser.parameters():
            nn.init.zeros_(parameter)
        torch.testing.assert_close(fuser(identity, content), (identity + content) / 2)
    torch.testing.assert_close(Fuser(torch.maximum, 4)(identity, content), torch.maximum(identity, content))
    torch.testing.assert_close(Fuser("torch.maximum", 4)(identity, content), torch.maximum(identity, content))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("product", r"fusion: unknown \(got 'product'\); there are: sum, mean"),
        (nn.Bilinear(4, 4, 2), r"must turn two \(3, 4\) into one \(got \(3, 2\)\)"),
        (lambda identity, content: (identity, content), r"must turn two \(3, 4\) into one \(got tuple\)"),
        (nn.Bilinear(5, 5, 4), "fails on rows of width 4: "),
    ],
)
def test_errors(spec, message):
    with pytest.raises(InputError, match=message):
        Fuser(spec, 4)


def test_a_setting_takes_a_class():
    assert AlignRecConfig(fusion=nn.Bilinear).fusion == "torch.nn.modules.linear.Bilinear"
