"""Long output goes on where it was cut off: what is done is not computed again, and none is of another request."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.locks import LOCK, sole
from alignrec_geo.serving import TopItems, bulk
from alignrec_geo.serving.blocks import Range, here
from tests.serving.drawn import drawn


@pytest.fixture(scope="module")
def top() -> TopItems:
    return drawn()


@pytest.fixture(autouse=True)
def _blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_USERS", 7)


class Cut(Exception):
    """The work ends here."""


def cut_after(stream: bulk.FrameStream, blocks: int, asked: list[Range]):
    """An engine that ends after so many blocks."""

    def engine(wanted: Sequence[Range]) -> Iterator[pl.DataFrame]:
        for number, part in enumerate(wanted):
            if number == blocks:
                raise Cut
            asked.append(part)
            yield stream.answer(*part)

    return engine


@pytest.mark.parametrize("name", ["recs.parquet", "recs.csv", "recs.jsonl"])
def test_it_goes_on(top: TopItems, tmp_path: Path, name: str) -> None:
    stream, file, asked = top.recommend_all(k=4), tmp_path / name, []
    for blocks in (2, 1):
        with pytest.raises(Cut):
            stream.write(file, resume=True, engine=cut_after(stream, blocks, asked))
        assert not file.exists()
        assert (tmp_path / f"{name}.parts").is_dir()
    seen: list[tuple[int, int]] = []
    rows = stream.write(file, resume=True, progress=lambda *at: seen.append(at))
    assert asked == [(0, 7), (7, 14), (14, 21)]
    assert seen == [(28, 40), (35, 40), (40, 40)]
    whole = tmp_path / f"whole-{name}"
    assert stream.write(whole) == rows
    assert file.read_bytes() == whole.read_bytes()
    assert not (tmp_path / f"{name}.parts").exists()


def test_lists_are_made_of_the_same_parts(top: TopItems, tmp_path: Path) -> None:
    stream = top.recommend_all(k=4)
    with pytest.raises(Cut):
        stream.write(tmp_path / "a.parquet", resume=True, engine=cut_after(stream, 3, []))
    stream.write(tmp_path / "a.parquet", resume=True, lists=True)
    stream.write(tmp_path / "b.parquet", lists=True)
    assert pl.read_parquet(tmp_path / "a.parquet").equals(pl.read_parquet(tmp_path / "b.parquet"))


@pytest.mark.parametrize(
    "other",
    [
        {"k": 5},
        {"unknown": "popular"},
        {"seen": "keep"},
        {"users": ["u1", "u2"]},
        {"only_items": ["i3", "i5", "i7", "i9"]},
        {"exclude": {"u1": ["i3"]}},
        {"include_cold": True},
    ],
)
def test_parts_of_another_request_are_refused(top: TopItems, tmp_path: Path, other: dict[str, object]) -> None:
    stream, file = top.recommend_all(k=4), tmp_path / "recs.parquet"
    with pytest.raises(Cut):
        stream.write(file, resume=True, engine=cut_after(stream, 2, []))
    with pytest.raises(InputError, match="holds parts of another request"):
        top.recommend_all(**{"k": 4, **other}).write(file, resume=True)  # type: ignore[arg-type]
    again = drawn().recommend_all(k=4)  # the same tables from anywhere else
    assert again.write(file, resume=True) > 100


def test_a_folder_of_others_is_left_alone(top: TopItems, tmp_path: Path) -> None:
    stream, parts = top.recommend_all(k=4), tmp_path / "recs.parquet.parts"
    parts.mkdir()
    (parts / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds .thesis\.tex., which is no part of a result"):
        stream.write(tmp_path / "recs.parquet", resume=True)
    (parts / "thesis.tex").rename(parts / "00000001.parquet")
    with pytest.raises(InputError, match=r"holds parts of a result and no request\.json"):
        stream.write(tmp_path / "recs.parquet", resume=True)
    assert (parts / "00000001.parquet").read_text() == "mine"
    (parts / "00000001.parquet").unlink()
    with sole(parts / LOCK, ""), pytest.raises(InputError, match="is being filled by another process"):
        stream.write(tmp_path / "recs.parquet", resume=True)


def test_what_cannot_go_on_says_so(top: TopItems, tmp_path: Path) -> None:
    similar = top.similar_all(k=2)
    with pytest.raises(InputError, match="resume=True: these results cannot be written in several goes"):
        similar.write(tmp_path / "similar.parquet", resume=True)
    assert list(tmp_path.iterdir()) == []
    stream = top.recommend_all(k=2)
    assert stream.write(tmp_path / "a.parquet", engine=here(stream.answer)) == stream.write(tmp_path / "b.parquet")
