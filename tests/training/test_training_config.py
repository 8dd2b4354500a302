"""Where to train, with which rate, and how long."""

import pytest
import torch

from alignrec_geo.device import choose_device
from alignrec_geo.errors import InputError
from alignrec_geo.settings import checked
from alignrec_geo.training import TrainingConfig
from tests.settings_text import FOLDER, text_of


@pytest.fixture
def gpus(monkeypatch):
    """Let torch find so many GPUs, called H0, H1, …"""

    def there(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"H{index}")

    return there


def test_settings_have_the_defaults_and_limits_that_are_promised():
    """If the change is meant: ``python -m tests.settings_text``."""
    assert text_of("training") == (FOLDER / "training.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("device", "there", "expected"),
    [("auto", 2, "cuda"), ("auto", 0, "cpu"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda"), ("cuda:1", 2, "cuda:1")],
)
def test_a_gpu_is_taken_where_there_is_one_and_it_is_wanted(gpus, device, there, expected):
    gpus(there)
    assert TrainingConfig(device=device).torch_device() == torch.device(expected)


@pytest.mark.parametrize(
    ("device", "there", "message"),
    [
        ("cuda", 0, r"finds no GPU here; use auto or cpu \(got 'cuda'\)"),
        ("cuda:7", 2, r"this machine has cuda:0 \(H0\), cuda:1 \(H1\) \(got 'cuda:7'\)"),
    ],
)
def test_a_gpu_that_is_not_there(gpus, device, there, message):
    gpus(there)
    with pytest.raises(InputError, match=message):
        TrainingConfig(device=device).torch_device()


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "cuda:1x", "", "mps"])
def test_what_is_no_device(device):
    with pytest.raises(InputError, match=r"device: allowed: auto, cpu, cuda, or cuda:NUMBER"):
        checked(TrainingConfig, {"device": device})
    with pytest.raises(InputError, match=r"device: allowed: auto, cpu, cuda, or cuda:NUMBER \(got "):
        choose_device(device)


def test_the_rate_falls_by_its_factor_every_so_many_epochs():
    config = TrainingConfig(lr=0.5, lr_decay=0.25, lr_decay_epochs=10)
    assert [config.lr_at(epoch) for epoch in (0, 5, 10, 20)] == pytest.approx([0.5, 0.25, 0.125, 0.03125])
    assert TrainingConfig(lr=0.5, lr_decay=1.0).lr_at(100) == 0.5
