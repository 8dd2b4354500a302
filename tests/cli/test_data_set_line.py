"""The first line of a verb, which also refuses what is no data set."""

import pytest

from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.dataset import make_catalogue, manifest
from alignrec_geo.errors import InputError


def test_the_name_and_the_counts(tmp_path, capsys):
    say_data_set(make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "shop").path)
    assert capsys.readouterr().err.startswith("catalogue: 60 users, 40 items, ")
    with pytest.raises(InputError, match="no such data set folder"):
        say_data_set(tmp_path / "absent")


def test_what_a_killed_write_left_is_settled_before_a_folder_is_refused(tmp_path, monkeypatch):
    made = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "aside").path
    monkeypatch.setattr(manifest, "recover", lambda folder: made.rename(folder))
    say_data_set(tmp_path / "shop")
    assert (tmp_path / "shop" / "dataset.json").exists()
