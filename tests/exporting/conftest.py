"""Two small runs to export, of content and of ids alone."""

import pytest

from alignrec_geo.dataset import make_catalogue
from tests.conftest import in_this_process

TRAINED = ("--set", "epochs=1", "--set", "dim=8", "--json")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    make_catalogue(n_users=80, n_items=60, image_size=16).save(folder / "data")
    for name, *more in (("content",), ("ids", "--model", "bpr", "--features", "none")):
        done = in_this_process("train", folder / "data", "--out", folder / name, *more, *TRAINED)
        assert done.code == 0, done.err
    return folder
