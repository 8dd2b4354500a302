"""A run that is opened for a service: what is missing is told, and what changes meanwhile is not read by halves."""

import shutil

import numpy as np
import pytest
import torch

from alignrec_geo import load, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.service import opened
from alignrec_geo.service.opened import OpenRun
from alignrec_geo.service.settings import ServiceSettings
from alignrec_geo.serving.folding_store import FOLDING


@pytest.fixture
def copied(served_run, tmp_path):
    """The run and its data set, to change."""
    shutil.copytree(served_run.parent, tmp_path / "served", symlinks=True)
    run = tmp_path / "served" / "run"
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(served_run.parent), str(tmp_path / "served")))
    return run


def notes(run, **settings):
    return OpenRun(ServiceSettings(run, **settings)).notes


def test_images_of_a_data_set_that_is_gone_damaged_or_another(copied, tmp_path):
    data = copied.parent / "data"
    assert notes(copied) == []
    other = make_catalogue(n_users=60, n_items=41, image_size=16).save(tmp_path / "other").path
    with pytest.raises(InputError, match="its items are not those of"):
        notes(copied, dataset=other)
    config = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(config.replace(str(data), str(other)))
    (said,) = notes(copied)
    assert said == f"no images: {other}: its items are not those of {copied.resolve()}"
    (copied / "config.yaml").write_text(config)
    (data / "dataset.json").write_text("{")
    (said,) = notes(copied)
    assert "no images: " in said
    assert "not valid JSON" in said
    with pytest.raises(InputError, match="not valid JSON"):
        notes(copied, dataset=data)
    shutil.rmtree(data)
    (said,) = notes(copied)
    assert said == f"no images: the data set is not where it was ({data}); name it with dataset="


def test_an_image_that_went_meanwhile(copied):
    run = OpenRun(ServiceSettings(copied))
    row = int(np.flatnonzero(run.content.items["image"].is_not_null().to_numpy())[0])
    assert run.has_image(row)
    run.content.image_path(row).unlink()
    assert run.image(row, 32) is None
    assert run.image(len(run.content.items), 32) is None  # one that came later has none


def test_a_run_without_a_stored_rule_folds_by_its_model(copied):
    """As `embed` and older releases left it."""
    stored = OpenRun(ServiceSettings(copied))
    (copied / FOLDING).unlink()
    run = OpenRun(ServiceSettings(copied))
    histories = load(copied).histories()
    ours, theirs = run.top.fold_in(histories), stored.top.fold_in(histories)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_files_that_change_while_they_are_read(copied, monkeypatch):
    numbers = iter(range(100))
    monkeypatch.setattr(opened, "identity", lambda run: str(next(numbers)))
    with pytest.raises(InputError, match="its files change while they are read"):
        OpenRun(ServiceSettings(copied))
    assert next(numbers) == 2 * opened.TRIES
