"""The README and docs/: every Python block runs, every link leads somewhere, every setting is listed."""

import re
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo import Dataset, Features, SplitConfig
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.limits import DEFAULTS
from alignrec_geo.models import AlignRecConfig
from alignrec_geo.training import TrainingConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTES = [
    path for folder in ("benchmarks", "examples", "datasets") for path in sorted((ROOT / folder).rglob("README.md"))
]
LINK = r"\]\(([^)#]*)(?:#([^)]*))?\)"


def make_shop() -> None:
    """The data set that the README's example opens."""
    users = [f"C-{1029 + n // 6}" for n in range(60)]
    items = [f"SKU-{70 + (n * 7) % 11}" for n in range(60)]
    data = Dataset.from_frame(pl.DataFrame({"user": users, "item": items}), rule=SplitConfig())
    matrix = pl.DataFrame({"a": range(1, 12), "b": [3.0] * 11}).to_numpy().astype("float32")
    data.with_features(Features("image", matrix, matrix.any(axis=1))).save("data/shop")


@pytest.fixture
def short_runs():
    """Training takes three epochs where no number is given."""
    epochs = TrainingConfig.model_fields["epochs"]
    usual, epochs.default = epochs.default, 3
    TrainingConfig.model_rebuild(force=True)
    yield
    epochs.default = usual
    TrainingConfig.model_rebuild(force=True)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_shop()
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == page.read_text().count("```python")
    scope = {"__name__": page.stem}
    for block in blocks:
        exec(compile(block, page.name, "exec"), scope)


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_headings_are_those_of_github(tmp_path):
    (tmp_path / "page.md").write_text(
        "# A page\n\n```console\n# not a heading\n```\n\n## `x`, Weights & *y*: what's there\n"
    )
    assert headings(tmp_path / "page.md") == {"a-page", "x-weights--y-whats-there"}


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link, anchor in re.findall(LINK, page.read_text()):
        if link.startswith("https://"):
            continue
        target = page.parent / link if link else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in headings(target), f"{link}#{anchor}"


def test_every_setting_is_listed_with_its_default():
    listed = (ROOT / "docs" / "training.md").read_text()
    kinds = {"parameters": AlignRecConfig, "training": TrainingConfig, "kernels": KernelConfig}
    for section, kind in kinds.items():
        for name, setting in kind.model_fields.items():
            assert f"| `{section}.{name}` | {setting.default} |" in listed


def test_every_promise_names_a_test_that_is_there():
    page = (ROOT / "docs" / "promises.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 40
    for file, test in named:
        source = (ROOT / file).read_text()
        assert f"def {test or 'test_'}" in source, f"{file}::{test}"
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| `")]
    for row in rows:
        assert "`tests/" in row or row.startswith(("| promise |", "| limit |")), row


def test_every_limit_is_listed():
    page = (ROOT / "docs" / "promises.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == set(DEFAULTS)
