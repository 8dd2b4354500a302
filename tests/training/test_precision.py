import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.models import BPRMF
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training import precision as module
from alignrec_geo.training.precision import check_precision, use_precision

CPU = torch.device("cpu")
bf16 = pytest.mark.skipif(not module._has_bf16(), reason="this CPU, or this torch, has no bfloat16 products")


def test_float32_changes_nothing():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with use_precision("float32", CPU):
        assert torch.backends.mkldnn.matmul.fp32_precision == before


@bf16
def test_bf16_rounds_factors_within_the_block_only():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(300, 200, generator=generator), torch.randn(200, 300, generator=generator)
    exact = a @ b
    with use_precision("bf16", CPU):
        rounded = a @ b
    assert rounded.dtype == torch.float32
    error = (rounded - exact).norm() / exact.norm()
    assert 1e-4 < error < 1e-2  # 8 bits, not 24
    torch.testing.assert_close(rounded, a.bfloat16().float() @ b.bfloat16().float(), rtol=1e-4, atol=1e-3)
    assert torch.equal(a @ b, exact)


@bf16
def test_it_is_left_after_an_error():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(KeyError), use_precision("bf16", CPU):
        raise KeyError
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_what_a_device_does_not_have_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_has_bf16", lambda: False)
    data = make_catalogue(n_users=40, n_items=30, image_size=16)
    for name, message in (("bf16", r"needs a CPU with bfloat16 instructions"), ("tf32", r"needs an NVIDIA GPU")):
        config = TrainingConfig(epochs=1, device="cpu", precision=name)
        with pytest.raises(InputError, match=message):
            fit(BPRMF.from_dataset(data), data, config, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(InputError, match=r"compute capability 8\.0"):
        check_precision("tf32", torch.device("cuda"))
    with pytest.raises(ValueError, match="float32"):
        TrainingConfig(precision="fp8")
