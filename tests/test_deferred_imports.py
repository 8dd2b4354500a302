import inspect
import sys
import threading
from importlib import import_module

import pytest

from alignrec_geo import deferred_imports
from alignrec_geo.deferred_imports import defer_imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose import is deferred; its code leaves a mark every time it runs."""
    folder = tmp_path / "heavy_parts"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from pathlib import Path\n"
        "mark = Path(__file__).parent / 'ran'\n"
        "mark.write_text(mark.read_text() + 'x' if mark.exists() else 'x')\n"
        "if (Path(__file__).parent / 'broken').exists():\n    raise ImportError('broken')\n"
        "from heavy_parts import inner\n"
        "answer = inner.half * 2\n"
    )
    (folder / "inner.py").write_text("half = 21\n")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(deferred_imports, "DEFERRED", {"heavy_parts"})
    monkeypatch.syspath_prepend(tmp_path)
    defer_imports()
    yield folder
    for name in [name for name in sys.modules if name.startswith("heavy_parts")]:
        del sys.modules[name]


def ran(folder):
    mark = folder / "ran"
    return len(mark.read_text()) if mark.exists() else 0


def test_the_code_runs_with_the_first_attribute(package):
    module = import_module("heavy_parts")
    assert import_module("heavy_parts") is module
    assert inspect.getmodule(test_the_code_runs_with_the_first_attribute).__name__ == __name__  # asks all modules
    assert "heavy_parts" in repr(module.__spec__)
    assert ran(package) == 0
    assert module.answer == 42
    assert ran(package) == 1
    assert type(module) is type(sys)
    assert not hasattr(module, "nothing")


def test_a_submodule_comes_after_its_package(package):
    import_module("heavy_parts")
    assert import_module("heavy_parts.inner").half == 21
    assert ran(package) == 1


def test_names_are_imported_from_it(package):
    import_module("heavy_parts")
    assert __import__("heavy_parts", fromlist=["answer"]).answer == 42


def test_code_that_fails_is_tried_again(package):
    module = import_module("heavy_parts")
    (package / "broken").touch()
    with pytest.raises(ImportError, match="broken"):
        module.answer  # noqa: B018
    (package / "broken").unlink()
    assert module.answer == 42
    assert ran(package) == 2


def test_many_threads_load_it_once(package):
    module = import_module("heavy_parts")
    found = []
    threads = [threading.Thread(target=lambda: found.append(module.answer)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [42] * 8
    assert ran(package) == 1


def test_twice_is_once(package):
    before = list(sys.meta_path)
    defer_imports()
    assert sys.meta_path == before
