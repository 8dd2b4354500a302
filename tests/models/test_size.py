"""The memory that settings need is never more than what the model really takes."""

from pathlib import Path

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.models import MODELS, size
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.models.size import trained
from tests.golden_numbers import toy_graph

SQUARE = {"alignrec": 1, "alignrec-plus": 1, "bm3": 1, "mgcn": 2, "slmrec": 2}


def test_a_trained_number_takes_four_floats():
    assert trained(10) == 10 * 4 * 4  # itself, its gradient, Adam's two moments


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if issubclass(model, GraphRecommender)])
def test_maps_that_are_counted_are_there(name):
    assert MODELS[name].dense_maps == SQUARE.get(name, 0)
    config = {"dim": 48} if "dim" in MODELS[name].config_class.model_fields else {}
    model = MODELS[name](toy_graph("image", "text"), config=config)
    dense = sum(parameter.numel() for parameter in model.parameters() if max(parameter.shape) <= 48 * 3)
    assert dense >= MODELS[name].dense_maps * 48 * 48


@pytest.fixture
def files(monkeypatch):
    """What the system says: the text of each file, or an error."""
    files = {
        "/proc/meminfo": "MemTotal: 900 kB\nMemAvailable: 100 kB\nSwapFree: 20 kB\n",
        "/sys/fs/cgroup/memory.max": "max\n",
    }

    def read(path, encoding):
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(size.os, "sysconf", {"SC_PHYS_PAGES": 50, "SC_PAGE_SIZE": 4096}.__getitem__)
    return files


def test_what_a_new_program_can_have(files, monkeypatch):
    assert size.available_memory() == 120 * 1024
    files["/sys/fs/cgroup/memory.max"] = "1000\n"
    assert size.available_memory() == 1000
    with pytest.raises(InputError, match=r"BPR: dim=64 needs at least .* of memory; this machine has 1 kB available"):
        size.check_memory({"dim=64": 1 << 20, "layers": 3}, "BPR")
    del files["/sys/fs/cgroup/memory.max"], files["/proc/meminfo"]
    assert size.available_memory() == 50 * 4096  # all there is, where no file tells what is free


def test_a_system_that_says_nothing_refuses_nothing(files, monkeypatch):
    files["/proc/meminfo"] = "MemAvailable: much\n"
    monkeypatch.delattr(size.os, "sysconf")
    assert size.available_memory() is None
    size.check_memory({"dim=64": 1 << 60}, "BPR")
