"""The third intermediate metric as people run it."""

import json
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, make_catalogue
from tests.cli.test_pretrain import SMALL
from tests.content.colours import coloured_encoders, coloured_things


def test_the_table_of_drops(verb, tmp_path: Path) -> None:
    folder = coloured_things(tmp_path, items=60).path
    image, text = coloured_encoders(tmp_path)
    encoders = ["--encoder-image", image, "--encoder-text", text, "--cache", tmp_path / "cache"]
    assert verb("pretrain", folder, *encoders, *SMALL).code == 0
    assert verb("features", "extract", folder, "--raw", "text", *encoders).code == 0
    arguments = ["mask-modality", folder, "--features", "aligned-frozen,text", "--set", "epochs=1", "--seeds", "2"]
    done = verb(*arguments, "--out", tmp_path / "drops.json", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said == json.loads((tmp_path / "drops.json").read_text())
    assert said["items"] == 30
    assert [(row["content"], row["hidden"], row["how"]) for row in said["rows"]] == [
        ("aligned-frozen", None, ""),
        ("aligned-frozen", "image", "encoded again"),
        ("aligned-frozen", "text", "encoded again"),
        ("aligned-frozen", "aligned-frozen", "zeroed"),
        ("text", None, ""),
        ("text", "text", "zeroed"),
    ]
    assert all(len(row["metrics"]) == 2 for row in said["rows"])
    first, second = said["rows"][:2]
    before, after = first["mean_recall@20"], second["mean_recall@20"]
    assert first["drop"] is None
    assert second["drop"] == pytest.approx((before - after) / before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--features", "sound"], "no features 'sound'"),
        (["--model", "lightgcn"], "model 'lightgcn' uses no features"),
        (["--share", "0"], "share of the items must be above 0"),
        (["--features", ","], "--features names nothing"),
    ],
)
def test_wrong_requests(verb, tmp_path: Path, arguments: list[str], said: str) -> None:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "catalogue").path
    verb("mask-modality", folder, *arguments).refused(said)


def test_people_get_a_table(verb, tmp_path: Path) -> None:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "catalogue").path
    small = ["--features", "image", "--set", "epochs=1", "--set", "dim=8", "--seeds", "1"]
    done = verb("mask-modality", folder, *small)
    assert done.code == 0, done.err
    assert "alignrec on catalogue, test, protocol clean: 20 of 40 items masked" in " ".join(done.out.split())
    rows = [line.replace("│", " ").split() for line in done.out.splitlines() if "image" in line]
    assert [row[1] for row in rows] == ["nothing", "image"]
    assert rows[0][-1] == "–"
    assert rows[1][-1] == "%"


def test_without_matrices_there_is_nothing_to_mask(verb, tmp_path: Path) -> None:
    pairs = {"user": ["ann", "ann", "bob"], "item": ["mug", "pen", "pen"]}
    bare = Dataset.from_frame(pl.DataFrame(pairs), rule="all-train").save(tmp_path / "bare").path
    for name in ("mask-modality", "probe"):
        verb(name, bare).refused("has no feature matrices; make some with 'features extract'")
