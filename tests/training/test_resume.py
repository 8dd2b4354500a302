"""Runs that were cut off, damaged or went wrong, and what is left of them."""

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.graph import to_hetero
from alignrec_geo.models import AlignRec
from alignrec_geo.models.alignrec_config import AlignRecConfig
from alignrec_geo.observer import Observer
from alignrec_geo.training import TrainingConfig, fit
from tests.training.small_runs import DroppingConv, lines, model_for, without_seconds


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=120, n_items=60, image_size=16)


def test_interrupted_run_resumes_bit_for_bit(data, tmp_path):
    config = TrainingConfig(epochs=8, batch_size=128, patience=2, tensorboard=False)
    whole = fit(model_for(data), data, config, out=tmp_path / "whole")

    class Stop(Observer):
        def step_done(self, terms):
            raise KeyboardInterrupt

    class StopLater(Stop):
        seen = 0

        def step_done(self, terms):
            StopLater.seen += 1
            if StopLater.seen == 20:
                raise KeyboardInterrupt

    for stop in (Stop(), StopLater()):  # in the first epoch; in the middle of a later one
        with pytest.raises(KeyboardInterrupt):
            fit(model_for(data), data, config, out=tmp_path / "cut", resume=True, observers=[stop])
    assert 0 < len(lines(tmp_path / "cut")) < len(lines(tmp_path / "whole"))
    resumed = fit(model_for(data), data, config, out=tmp_path / "cut", resume=True)
    assert without_seconds(lines(tmp_path / "cut")) == without_seconds(lines(tmp_path / "whole"))
    assert resumed.metrics == whole.metrics
    for ours, theirs in zip(resumed.embeddings, whole.embeddings, strict=True):
        assert torch.equal(ours, theirs)
    # a finished run gives the same again
    assert fit(model_for(data), data, config, out=tmp_path / "cut", resume=True).metrics == whole.metrics


def test_dropout_of_other_peoples_layers_follows_the_seed_and_leaves_the_global_generator(data, tmp_path):
    config = TrainingConfig(epochs=4, batch_size=128, tensorboard=False)

    def train(out, **options):
        model = AlignRec(to_hetero(data, cache=False), config=AlignRecConfig(dim=16), user_item_conv=DroppingConv)
        return fit(model, data, config, out=out, **options).embeddings.users

    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = train(tmp_path / "once")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(train(tmp_path / "twice"), once)
    assert not torch.equal(train(tmp_path / "other", seed=1), once)

    class Stop(Observer):
        def epoch_started(self, epoch, steps):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", observers=[Stop()])
    assert torch.equal(train(tmp_path / "cut", resume=True), once)


def test_resume_on_other_data_or_another_model_is_an_error(data, tmp_path):
    run = tmp_path / "run"
    fit(model_for(data), data, TrainingConfig(epochs=1), out=run)
    other = make_catalogue(n_users=120, n_items=60, image_size=16, seed=1)
    with pytest.raises(InputError, match="trained on other interactions"):
        fit(model_for(other), other, TrainingConfig(epochs=2), out=run, resume=True)
    with pytest.raises(InputError, match=r"checkpoint does not fit the model: '[\w.]+' is \(16,\) there"):
        fit(model_for(data, dim=8), data, TrainingConfig(epochs=2), out=run, resume=True)


def test_damaged_checkpoint(data, tmp_path):
    run = tmp_path / "run"
    fit(model_for(data), data, TrainingConfig(epochs=1), out=run)
    last = run / "checkpoint" / "last.safetensors"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.safetensors: not a readable"):
        fit(model_for(data), data, TrainingConfig(epochs=2), out=run, resume=True)


def test_divergence_names_epoch_and_term_and_keeps_the_last_state(data, tmp_path):
    model = model_for(data)
    honest = model.loss

    def poisoned(batch):
        terms = honest(batch)
        if poisoned.calls > 10:
            terms["cca"] = terms["cca"] * float("nan")
        poisoned.calls += 1
        return terms

    poisoned.calls = 0
    model.loss = poisoned
    with pytest.raises(TrainingDiverged, match="term 'cca' became nan in epoch 1"):
        fit(model, data, TrainingConfig(epochs=5, batch_size=128), out=tmp_path / "run")
    assert len(lines(tmp_path / "run")) == 1
    assert (tmp_path / "run" / "checkpoint" / "last.safetensors").exists()
