import json

import pytest
import torch
from safetensors.torch import save_file

from alignrec_geo.checkpoint import (
    TrainingState,
    load_checkpoint,
    load_trainable,
    save_checkpoint,
    trainable_state,
)
from alignrec_geo.errors import InputError
from alignrec_geo.models import AlignRec, AlignRecConfig
from alignrec_geo.tensors import read_tensors
from tests.golden_numbers import toy_graph


def test_frozen_tables_are_not_stored_and_stay():
    model = AlignRec(toy_graph(), config=AlignRecConfig(train_features=False))
    state = trainable_state(model)
    assert "content" not in state
    other = AlignRec(toy_graph(), config=AlignRecConfig(train_features=False), seed=1)
    load_trainable(other, state)
    assert torch.equal(other.user_embedding, model.user_embedding)
    assert torch.equal(other.content, model.content)


def test_everything_comes_back(tmp_path):
    model = AlignRec(toy_graph())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    generator = torch.Generator().manual_seed(3)
    model.user_embedding.square().sum().backward()
    optimizer.step()
    torch.rand(5, generator=generator)
    state = TrainingState(epochs_done=4, best_epoch=2, best_value=0.25, stale=1, seconds=1.5)
    save_checkpoint(tmp_path / "c", state, model, optimizer, {"sampling": generator})
    fresh = AlignRec(toy_graph(), seed=9)
    fresh_optimizer, fresh_generator = torch.optim.Adam(fresh.parameters(), fused=True), torch.Generator()
    assert load_checkpoint(tmp_path / "c", fresh, fresh_optimizer, {"sampling": fresh_generator}) == state
    assert torch.equal(fresh.user_embedding, model.user_embedding)
    assert torch.equal(torch.rand(4, generator=fresh_generator), torch.rand(4, generator=generator))
    before, after = optimizer.state_dict()["state"], fresh_optimizer.state_dict()["state"]
    assert before.keys() == after.keys()
    for slot in ("step", "exp_avg", "exp_avg_sq"):
        assert torch.equal(before[0][slot], after[0][slot])
    with pytest.raises(InputError, match="no state of the random generator 'other'"):
        load_checkpoint(tmp_path / "c", fresh, fresh_optimizer, {"other": fresh_generator})


def test_files_of_something_else(tmp_path):
    model = AlignRec(toy_graph())
    save_file({f"model.{name}": tensor for name, tensor in trainable_state(model).items()}, tmp_path / "c")
    with pytest.raises(InputError, match="not a readable checkpoint of this program"):
        load_checkpoint(tmp_path / "c", model, None, {})
    with pytest.raises(InputError, match="no such file"):
        read_tensors(tmp_path / "absent")
    with pytest.raises(InputError, match=r"'\w+' is None there and \(.*\) here"):
        load_trainable(model, {})


@pytest.mark.parametrize(
    "changed",
    [{"epochs_done": -1}, {"best_value": "nan"}, {"seconds": -1}, {"stale": -2}, {"best_epoch": 1.5}, {"other": 1}],
)
def test_states_that_no_run_can_have_are_refused(tmp_path, changed):
    model = AlignRec(toy_graph())
    state = {**TrainingState().model_dump(), "best_value": "-inf", **changed}
    tensors = {f"model.{name}": tensor for name, tensor in trainable_state(model).items()}
    save_file(tensors, tmp_path / "c", {"state": json.dumps(state)})
    with pytest.raises(InputError, match="not a readable checkpoint of this program"):
        load_checkpoint(tmp_path / "c", model, None, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rng.sampling": torch.zeros(3)}, "not a readable checkpoint"),
        ({"optimizer.0.exp_avg": torch.zeros(2)}, r"'exp_avg' of parameter 0 is \(2,\)"),
        ({"optimizer.99.exp_avg": torch.zeros(2)}, r"'exp_avg' of parameter 99"),
        ({"optimizer.x": torch.zeros(2)}, "not a readable checkpoint"),
        ({"model.extra": torch.zeros(2)}, r"'extra' is \(2,\) there and None here"),
    ],
)
def test_changed_checkpoints_are_refused(tmp_path, changed, message):
    model = AlignRec(toy_graph())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    save_checkpoint(tmp_path / "c", TrainingState(), model, optimizer, {"sampling": torch.Generator()})
    tensors, header = read_tensors(tmp_path / "c")
    save_file(tensors | changed, tmp_path / "c", header)
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "c", model, optimizer, {"sampling": torch.Generator()})


def test_without_an_optimiser(tmp_path):
    """Of what is not trained there is nothing but the model's own state."""
    model, generator = AlignRec(toy_graph()), torch.Generator().manual_seed(3)
    state = TrainingState(epochs_done=1, best_epoch=0, best_value=0.5, stale=0, seconds=1.0)
    save_checkpoint(tmp_path / "c", state, model, None, {"sampling": generator})
    assert not any(name.startswith("optimizer.") for name in read_tensors(tmp_path / "c")[0])
    fresh = AlignRec(toy_graph(), seed=9)
    assert load_checkpoint(tmp_path / "c", fresh, None, {"sampling": torch.Generator()}) == state
    assert torch.equal(fresh.user_embedding, model.user_embedding)
    with pytest.raises(InputError, match="no state of the random generator 'dropout' in it"):
        load_checkpoint(tmp_path / "c", fresh, None, {"dropout": torch.Generator()})
