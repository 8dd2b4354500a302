"""Where to train, with which rate, and how long."""

import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.training import TrainingConfig
from tests.settings_text import FOLDER, text_of


def test_settings_have_the_defaults_and_limits_that_are_promised():
    """If the change is meant: ``python -m tests.settings_text``."""
    assert text_of("training") == (FOLDER / "training.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("device", "there", "expected"),
    [
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_a_gpu_is_taken_where_there_is_one_and_it_is_wanted(monkeypatch, device, there, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert TrainingConfig(device=device).torch_device() == torch.device(expected)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no GPU"):
        TrainingConfig(device="cuda").torch_device()


def test_the_rate_falls_by_its_factor_every_so_many_epochs():
    config = TrainingConfig(lr=0.5, lr_decay=0.25, lr_decay_epochs=10)
    assert [config.lr_at(epoch) for epoch in (0, 5, 10, 20)] == pytest.approx([0.5, 0.25, 0.125, 0.03125])
    assert TrainingConfig(lr=0.5, lr_decay=1.0).lr_at(100) == 0.5
