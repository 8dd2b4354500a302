import pytest
import torch
from safetensors.torch import save_file

from alignrec_geo.checkpoint import (
    TrainingState,
    load_checkpoint,
    load_trainable,
    read_tensors,
    save_checkpoint,
    trainable_state,
)
from alignrec_geo.errors import InputError
from alignrec_geo.models import AlignRec, AlignRecConfig
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
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        load_checkpoint(tmp_path / "c", model, None, {})
    with pytest.raises(InputError, match="no such file"):
        read_tensors(tmp_path / "absent")
    with pytest.raises(InputError, match=r"'\w+' is None there and \(.*\) here"):
        load_trainable(model, {})
