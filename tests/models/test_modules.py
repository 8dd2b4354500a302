"""Models are modules of torch: copied, pickled, averaged, exported, stored and loaded."""

import copy
import io
import pickle
import shutil

import pytest
import torch

import alignrec_geo
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.models import MODELS, AlignRec, load
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


@pytest.fixture(scope="module")
def stored(data, tmp_path_factory):
    return data.save(tmp_path_factory.mktemp("stored") / "catalogue")


def same_tables(ours, theirs) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours.embeddings(), theirs.embeddings(), strict=True))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_copies_are_equal_and_their_own(data, name):
    model = MODELS[name].from_dataset(
        data, config={"dim": 8} if "dim" in MODELS[name].config_class.model_fields else None
    )
    again = copy.deepcopy(model)
    assert same_tables(again, model)
    assert same_tables(pickle.loads(pickle.dumps(model)), model)
    before = [table.clone() for table in model.embeddings()]
    for parameter in again.parameters():
        parameter.data.fill_(0.5)
    assert all(torch.equal(a, b) for a, b in zip(before, model.embeddings(), strict=True))
    own = {part.data_ptr() for part in model.parameters()}
    assert not own & {part.data_ptr() for part in again.parameters()}


def test_torch_saves_and_averages(data):
    model = AlignRec.from_dataset(data, config={"user_item_conv": "sage", "fusion": "gate"})
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert same_tables(torch.load(file, weights_only=False), model)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    averaged.update_parameters(model)
    assert torch.equal(averaged().users, model().users)


def test_calling_a_model_is_encoding(data):
    model = AlignRec.from_dataset(data, config={"dim": 8}).eval()
    seen = []
    model.register_forward_hook(lambda module, given, tables: seen.append(tables))
    users, items = model()
    assert torch.equal(users, model.encode().users)
    assert seen[0].items is items


@pytest.mark.slow  # torch.compile loads its compiler
def test_a_compiled_model_encodes_the_same(data):
    model = AlignRec.from_dataset(data, config={"dim": 8}).eval()
    assert torch.equal(torch.compile(model, backend="eager")().users, model().users)


@pytest.mark.parametrize("name", ["alignrec", "bpr", "lightgcn", "mgcn"])
def test_export(data, name):
    model = MODELS[name].from_dataset(data).eval()
    exported = torch.export.export(model, ()).module()
    for ours, theirs in zip(exported(), model(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["alignrec", "bpr", "dualgnn", "freedom", "popularity"])
def test_a_run_gives_the_trained_model_back(stored, tmp_path, name):
    model = MODELS[name].from_dataset(stored)
    result = fit(model, config={"epochs": 2, "tensorboard": False}, out=tmp_path / "run")
    again = alignrec_geo.load(tmp_path / "run")
    assert not again.training
    for ours, theirs in zip(again.embeddings(), result.embeddings, strict=True):
        torch.testing.assert_close(ours, theirs)
    user = stored.users["id"][0]
    assert [item.item for item in again.recommend(user)[user]] == [item.item for item in model.recommend(user)[user]]


def test_what_cannot_be_loaded(data, stored, tmp_path):
    model = AlignRec.from_dataset(stored, config={"dim": 8})
    fit(model, config={"epochs": 1, "tensorboard": False}, out=tmp_path / "run")
    model.save(tmp_path / "saved")
    for call, words in (
        (lambda: load(tmp_path / "saved"), "holds tables and ids, no parameters"),
        (lambda: load(tmp_path), "not a run folder"),
        (lambda: load(tmp_path / "absent"), "no such run folder"),
        (lambda: load(3), r"takes the path of a run folder \(got 3\)"),
        (lambda: MODELS["bpr"].load(tmp_path / "run"), "holds a AlignRec; load it with AlignRec.load"),
        (lambda: load(tmp_path / "run", make_catalogue(61, 40, image_size=16)), "was not trained on|is not the one"),
    ):
        with pytest.raises(InputError, match=words):
            call()
    config = tmp_path / "run" / "config.yaml"
    plain = config.read_text()
    config.write_text(plain.replace(str(stored.path), str(tmp_path / "moved")))
    with pytest.raises(InputError, match=r"needs the content of its data set .*no such folder.*; pass dataset="):
        load(tmp_path / "run")
    assert same_tables(AlignRec.load(tmp_path / "run", stored), model)
    assert same_tables(AlignRec.load(tmp_path / "run", stored.path), model)
    config.write_text(plain.replace("item_item_conv: light", "item_item_conv: mypackage.Evil"))
    with pytest.raises(InputError, match=r"item_item_conv names code.*mypackage\.Evil.*trust=True"):
        load(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    config.write_text(plain)
    with pytest.raises(InputError, match="no parameters"):
        load(tmp_path / "run")


def test_a_run_on_ids_alone_needs_no_other_data_set(stored, tmp_path):
    model = AlignRec.from_dataset(stored, features=[], config={"dim": 8})
    fit(model, config={"epochs": 1, "tensorboard": False}, out=tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    plain = config.read_text()
    config.write_text(plain.replace(str(stored.path), str(tmp_path / "moved")))
    assert same_tables(load(tmp_path / "run"), model)
    config.write_text(plain.replace("parameters:", "parameters: [1]\nother:"))
    with pytest.raises(InputError, match=r"config.yaml: 'parameters' must hold key: value pairs \(got \[1\]\)"):
        load(tmp_path / "run")


def test_class_paths_of_a_run_are_followed_if_it_is_trusted(stored, tmp_path):
    model = AlignRec.from_dataset(
        stored, features=[], config={"dim": 8, "user_item_conv": "tests.nn.test_conv.OwnConv"}
    )
    fit(model, config={"epochs": 1, "tensorboard": False}, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"tests\.nn\.test_conv\.OwnConv"):
        load(tmp_path / "run")
    assert same_tables(load(tmp_path / "run", trust=True), model)
