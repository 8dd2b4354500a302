"""``--device``: every verb that computes takes the same names, and refuses the same way."""

import json

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.serving.file_names import EMBEDDINGS


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "catalogue")


@pytest.fixture
def given(catalogue, tmp_path):
    """The arguments of every verb that computes; the device is looked at before a run is opened."""
    data = str(catalogue.path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / EMBEDDINGS).touch()
    return {
        "train": [data, "--out", str(tmp_path / "trained")],
        "compare": [data, "--out", str(tmp_path / "compared"), "--models", "bpr"],
        "evaluate": [str(tmp_path / "run")],
        "recommend": [str(tmp_path / "run"), "--user", "1"],
        "similar": [str(tmp_path / "run"), "--item", "1"],
        "embed": [str(tmp_path / "run")],
        "pretrain": [data, "--encoder", "features"],
        "features extract": [data, "--name", "new"],
        "probe": [data],
        "mask-modality": [data],
    }


VERBS = (
    "train",
    "compare",
    "evaluate",
    "recommend",
    "similar",
    "embed",
    "pretrain",
    "features extract",
    "probe",
    "mask-modality",
)


@pytest.mark.parametrize("name", VERBS)
def test_a_device_that_is_none_or_is_not_there(verb, given, name, monkeypatch, tmp_path):
    assert given.keys() == set(VERBS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    call = [*name.split(), *given[name], "--device"]
    verb(*call, "gpu").refused("device", "auto, cpu, cuda, or cuda:NUMBER", "(got 'gpu')")
    verb(*call, "cuda:7").refused("device: this machine has cuda:0 (H100) (got 'cuda:7')")
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_doctor_shows_the_memory_of_gpus(verb, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"H{index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (20 * 10**9, 80 * 10**9))
    report = json.loads(verb("doctor", "--json").out)
    assert report["device"] == "cuda"
    assert report["gpus"][1] == {"device": "cuda:1", "name": "H1", "free": 20 * 10**9, "total": 80 * 10**9}
    shown = verb("doctor").out
    assert "20.0 of 80.0 GB" in shown
    assert "what runs on cuda" in shown
