import subprocess
import sys

import pytest
import torch

import alignrec_geo
from alignrec_geo.randomness import child_generator


def test_every_public_name_can_be_imported():
    for name in alignrec_geo.__all__:
        assert getattr(alignrec_geo, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        alignrec_geo.nothing  # noqa: B018


def test_the_packages_are_there_and_dir_lists_what_is_public():
    assert alignrec_geo.models.AlignRec is alignrec_geo.AlignRec
    assert alignrec_geo.testing.KnownAnswers
    listed = dir(alignrec_geo)
    assert {*alignrec_geo.__all__, "models", "nn", "training", "evaluation", "__version__"} <= set(listed)
    assert not [name for name in listed if name.startswith("_") and not name.startswith("__")]
    assert all(getattr(alignrec_geo, name) is not None for name in listed)


HELP = """
import sys
from alignrec_geo.cli.app import main
sys.argv = ["alignrec-geo", *{arguments!r}]
try:
    main()
except SystemExit:
    pass
"""
HEAVY = {"torch", "torch_geometric", "numpy", "polars", "PIL", "scipy", "matplotlib", "transformers"}


def modules_after(code):
    """What Python has loaded when ``code`` has run in a new process, beyond what it starts with."""
    code = f"import sys\nbefore = set(sys.modules)\n{code}\nprint('loaded', *sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.rpartition("loaded")[2].split()


def test_importing_the_package_loads_next_to_nothing():
    assert len(modules_after("import alignrec_geo; dir(alignrec_geo)")) < 20


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("data", "import", "table", "--help")])
def test_help_loads_what_prints_it_and_nothing_else(arguments):
    loaded = modules_after(HELP.format(arguments=list(arguments)))
    assert not HEAVY & set(loaded)
    assert len(loaded) < 450  # of which Typer and Rich are nine in ten


def test_child_generators_are_independent_and_repeatable():
    draws = {
        (seed, name): tuple(torch.rand(4, generator=child_generator(seed, name)).tolist())
        for seed in (0, 1)
        for name in ("init", "sampling")
    }
    assert len(set(draws.values())) == 4
    assert draws[0, "init"] == tuple(torch.rand(4, generator=child_generator(0, "init")).tolist())
