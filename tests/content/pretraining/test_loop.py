import json

import numpy as np
import pytest
import torch
from torch import nn

from alignrec_geo.content.pretraining.encoder_folder import ENCODER
from alignrec_geo.content.pretraining.loop import HISTORY, LAST, PretrainConfig, hold_out, pretrain
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.errors import InputError, TrainingDiverged


class Toy:
    """Learns the mean of the items' numbers, with noise from the generator it is given."""

    modalities = ("image", "text")
    width = 1

    def __init__(self, items=20, stop_in=None):
        self.model = nn.Linear(1, 1)
        nn.init.zeros_(self.model.weight)
        nn.init.zeros_(self.model.bias)
        self.items, self.seen, self.stop_in = np.arange(items), [], stop_in

    def batch(self, items, generator):
        self.seen.append(items)
        if self.stop_in is not None and len(self.seen) > self.stop_in:
            raise KeyboardInterrupt
        return items, torch.randn(len(items), 1, generator=generator)

    def loss(self, batch):
        items, noise = batch
        return {"words": (self.model(noise) - torch.from_numpy(items[:, None]).float()).square().mean() / 100}

    def held_out(self, items, generator):
        return {"words": float(len(items)), "words shuffled": float(torch.rand(1, generator=generator))}


CONFIG = PretrainConfig(epochs=4, batch_size=6, lr=0.1, eval_every=3)


def test_the_loss_falls_and_every_epoch_is_recorded(tmp_path):
    task = Toy()
    result = pretrain(task, CONFIG, 0, tmp_path)
    assert [record["epoch"] for record in result.history] == [0, 1, 2, 3]
    assert result.history[-1]["loss"]["words"] < result.history[0]["loss"]["words"]
    assert ["held_out" in record for record in result.history] == [False, False, True, True]
    assert len(result.held_out) == 2
    assert not set(np.concatenate(task.seen)) & set(result.held_out.tolist())
    assert sorted(np.concatenate(task.seen[:3])) == sorted(set(range(20)) - set(result.held_out.tolist()))
    assert [json.loads(line) for line in (tmp_path / HISTORY).read_text().splitlines()] == result.history


def test_a_run_that_was_cut_off_ends_like_one_that_was_not(tmp_path):
    whole, cut, again = Toy(), Toy(stop_in=7), Toy()
    straight = pretrain(whole, CONFIG, 3, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        pretrain(cut, CONFIG, 3, tmp_path / "cut")
    log = (tmp_path / "cut" / HISTORY).read_text()
    (tmp_path / "cut" / HISTORY).write_text("".join(log.splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match=r"metrics\.jsonl: \d epochs, the checkpoint has \d"):
        pretrain(again, CONFIG, 3, tmp_path / "cut", resume=True)
    (tmp_path / "cut" / HISTORY).write_text(log)
    resumed = pretrain(again, CONFIG, 3, tmp_path / "cut", resume=True)
    assert torch.equal(whole.model.weight, again.model.weight)
    assert [r["loss"] for r in straight.history] == [r["loss"] for r in resumed.history]
    assert len(again.seen) == 6  # two of four epochs


def test_nothing_to_train_still_leaves_the_model_as_it_is(tmp_path):
    task = Toy()
    result = pretrain(task, PretrainConfig(epochs=0), 0, tmp_path)
    assert result.history == []
    assert not task.seen
    assert not (tmp_path / LAST).exists()


def test_too_few_items(tmp_path):
    with pytest.raises(InputError, match="at least 2 items that have two modalities"):
        pretrain(Toy(items=1), CONFIG, 0, tmp_path)


def test_a_loss_that_is_not_finite_names_its_terms(tmp_path):
    task = Toy()
    nn.init.constant_(task.model.bias, float("nan"))
    with pytest.raises(TrainingDiverged, match=r"epoch 1, step 1: the loss is not finite \(words nan\)"):
        pretrain(task, CONFIG, 0, tmp_path)


def test_the_learning_rate_rises_and_falls():
    rates = [PretrainConfig(lr=1.0, warmup=0.2).lr_at(step, 10) for step in range(10)]
    assert rates[:3] == pytest.approx([0.5, 1.0, 1.0])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.05


def test_seeds_hold_out_other_items():
    parts = [hold_out(np.arange(100), 0.2, seed)[1] for seed in (0, 0, 1)]
    assert parts[0].tolist() == parts[1].tolist() != parts[2].tolist()
    assert all(len(part) == 20 for part in parts)


def test_how_much_a_gpu_worked_is_recorded_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(Throughput, "busy", property(lambda counted: 0.87654))
    result = pretrain(Toy(), CONFIG.model_copy(update={"epochs": 1}), 0, tmp_path)
    assert result.history[0]["gpu_busy"] == 0.877
    assert result.history[0]["items_per_second"] > 0


def test_a_checkpoint_without_its_log_is_refused(tmp_path):
    pretrain(Toy(), CONFIG.model_copy(update={"epochs": 1}), 0, tmp_path)
    (tmp_path / HISTORY).unlink()
    with pytest.raises(InputError, match=r"metrics\.jsonl: 0 epochs, the checkpoint has 1"):
        pretrain(Toy(), CONFIG, 0, tmp_path, resume=True)


def test_what_is_no_folder_of_an_encoder(tmp_path):
    assert ENCODER.problem(tmp_path) == "has no config.json"
    (tmp_path / "config.json").write_text("{}")
    assert ENCODER.problem(tmp_path) == "holds a config.json that is not of an encoder"
