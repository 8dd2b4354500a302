"""Two, four and eight ranks on TikTok: the losses and validation metrics of one process over three epochs."""

import pytest

from alignrec_geo.dataset.readers.mmrec import read_mmrec
from tests.conftest import real_data
from tests.distributed.ranks import run_ranks
from tests.distributed.train_models import train
from tests.training.small_runs import lines, without_seconds

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

NAMES = ["alignrec-frozen", "alignrec-trained", "lightgcn", "bpr", "bm3", "freedom", "mgcn"]
SIZES = {"epochs": 3, "dim": 64, "batch_size": 2048}


@pytest.fixture(scope="module")
def tiktok(tmp_path_factory):
    source = real_data()
    folder = tmp_path_factory.mktemp("tiktok")
    read_mmrec(source / "tiktok").save(folder / "data")
    train(folder / "data", folder / "one", NAMES, **SIZES)
    return folder


@pytest.mark.parametrize("size", [2, 4, 8])
def test_many_ranks_train_what_one_process_trains(tiktok, size):
    run_ranks(size, _train, tiktok / f"said-{size}", tiktok / "data", tiktok / f"of-{size}")
    for name in NAMES:
        expected, found = (without_seconds(lines(tiktok / kind / name)) for kind in ("one", f"of-{size}"))
        assert len(found) == 3
        for ours, theirs in zip(found, expected, strict=True):
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
            assert ours["validation"] == pytest.approx(theirs["validation"], abs=1e-6), name


def _train(data, out):
    train(data, out, NAMES, **SIZES)
