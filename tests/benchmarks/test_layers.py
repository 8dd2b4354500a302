import layers
import pytest

from alignrec_geo.nn.conv import CONVS


def test_all_layers_unless_some_are_named():
    assert layers.arguments(["data", "--out", "x"]) == ["data", "--out", "x", "--user-item-conv", ",".join(CONVS)]
    for named in (["data", "--user-item-conv", "sage"], ["data", "--user-item-conv=sage"]):
        assert layers.arguments(named) == named


def test_usage(monkeypatch):
    monkeypatch.setattr("sys.argv", ["layers.py", "name", "data"])
    with pytest.raises(SystemExit, match=r"python benchmarks/layers\.py"):
        layers.main()
