"""``recommend`` and ``similar`` on saved tables: where a list comes from is said."""

import json
import os

import polars as pl
import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.serving import ColdItems, save_cold_items, save_embeddings
from alignrec_geo.serving.store import EMBEDDINGS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving") / "run"
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    generator = torch.Generator().manual_seed(0)
    tables = Embeddings(torch.randn(60, 4, generator=generator), torch.randn(40, 4, generator=generator))
    save_embeddings(folder, tables, data)
    new = ColdItems(["NEW-1 🎉"], ["A new one"], torch.ones(1, 4))
    save_cold_items(folder / "cold.safetensors", new, folder / EMBEDDINGS)
    return folder


def test_the_fallback_of_unknown_users_is_marked(verb, run):
    asked = ("recommend", run, "--user", "user-0001", "--user", "nobody", "--unknown", "popular", "-k", 3)
    users = json.loads(verb(*asked, "--json").out)["users"]
    assert {item["source"] for item in users["user-0001"]} == {"model"}
    assert {item["source"] for item in users["nobody"]} == {"popular"}
    said = " ".join(verb(*asked).out.split())  # titles are wrapped to the width of their table
    assert said.count("the most popular items") == 1
    assert "for user nobody (no training interaction): the most popular items" in said
    assert f"{users['nobody'][0]['score']:.0f} " in said  # a number of interactions, not a score
    both = verb("recommend", run, "--user", "user-0001", "-k", 40, "--include-cold").out
    assert "cold by content" in both


def test_similar_to_an_item_that_embed_gave_a_vector_to(verb, run):
    found = json.loads(verb("similar", run, "--item", "NEW-1 🎉", "-k", 2, "--json").out)["similar"]
    assert len(found) == 2
    assert {item["source"] for item in found} == {"model"}
    near = found[0]["item"]
    listed = json.loads(verb("similar", run, "--item", near, "--include-cold", "-k", 39, "--json").out)["similar"]
    assert next(item for item in listed if item["item"] == "NEW-1 🎉")["source"] == "content"
    verb("similar", run, "--item", "absent").refused("unknown item 'absent'")


def test_users_from_a_file(verb, run, tmp_path):
    listed = tmp_path / "users.txt"
    listed.write_bytes("\ufeffuser-0001\n\nuser-0002\n".encode())
    users = json.loads(verb("recommend", run, "--users-file", listed, "--json").out)["users"]
    assert list(users) == ["user-0001", "user-0002"]
    verb("recommend", run, "--users-file", tmp_path).refused("is a folder")
    listed.write_bytes(b"\xff\xfe\x00")
    verb("recommend", run, "--users-file", listed).refused("not a readable text file of user ids")
    listed.write_text("\n \n")
    verb("recommend", run, "--users-file", listed).refused("holds no ids")


def test_one_unknown_user_does_not_end_the_batch(verb, run, tmp_path):
    frame = pl.DataFrame({"name": ["a", "b", "c"], "user": ["user-0003", "no\x1bbody", "user-0001"]})
    frame.write_csv(tmp_path / "u.csv")
    frame.write_parquet(tmp_path / "u.parquet")
    frame.write_ndjson(tmp_path / "u.jsonl")
    for file in ("u.csv", "u.parquet", "u.jsonl"):
        done = verb("recommend", run, "--users-file", tmp_path / file, "-k", 2, "--json")
        assert list(json.loads(done.out)["users"]) == ["user-0003", "user-0001"]
        assert json.loads(done.out)["left_out"] == ["no\x1bbody"]
    told = verb("recommend", run, "--users-file", tmp_path / "u.csv", "-k", 2)
    assert (
        "1 users that are unknown or have no training interaction were left out, for example 'no\\x1bbody'" in told.err
    )
    verb("recommend", run, "--users-file", tmp_path / "u.csv", "--unknown", "error").refused(
        "unknown user", "--unknown popular", "--unknown skip"
    )
    verb("recommend", run, "--user", "nobody").refused("unknown user 'nobody'")
    verb("recommend", run, "--user", "nobody", "--unknown", "guess").refused("allowed: error, popular, skip")
    frame.drop("user").write_parquet(tmp_path / "n.parquet")
    verb("recommend", run, "--users-file", tmp_path / "n.parquet").refused("none of the 3 users", "--unknown popular")
    frame.rename({"user": "u"}).write_parquet(tmp_path / "n.parquet")
    verb("recommend", run, "--users-file", tmp_path / "n.parquet").refused("no column 'user'; there are: 'name', 'u'")


def test_everybody_into_a_file(verb, run, tmp_path):
    out = tmp_path / "r.parquet"
    line = ("recommend", run, "--all-users", "-k", 3, "--out", out)
    done = json.loads(verb(*line, "--json").out)
    assert {key: done[key] for key in ("users", "left_out", "rows", "notes")} == {
        "users": 60,
        "left_out": 0,
        "rows": 180,
        "notes": [],
    }
    frame = pl.read_parquet(out)
    alone = json.loads(verb("recommend", run, "--user", "user-0007", "-k", 3, "--json").out)["users"]["user-0007"]
    assert frame.filter(pl.col("user") == "user-0007")["item"].to_list() == [one["item"] for one in alone]
    verb(*line).refused("exists; pass --overwrite to replace it")
    told = verb(*line, "--overwrite", "--lists")
    assert "r.parquet: 60 rows for 60 users" in told.out
    assert pl.read_parquet(out)["item"].list.len().unique().to_list() == [3]
    verb("recommend", run, "--all-users").refused("--all-users needs a file to write; name it with --out FILE")
    verb("recommend", run, "--user", "user-0001", "--lists").refused("--lists needs a file to write")
    verb(*line[:3], "--user", "a", "--out", tmp_path / "x.csv").refused("--all-users names everybody")
    verb(*line[:3], "--out", tmp_path / "x.xlsx").refused("unknown format '.xlsx'", ".parquet, .pq, .csv")
    verb(*line[:3], "--out", tmp_path / "x.csv", "--lists").refused("holds no lists")
    verb(*line[:3], "--out", run / "dataset" / "items.parquet", "--overwrite").refused("is what this command reads")
    (tmp_path / "u.csv").write_text("user\nuser-0001\n")
    verb("recommend", run, "--users-file", tmp_path / "u.csv", "--out", tmp_path / "u.csv", "--overwrite").refused(
        "reads"
    )
    assert sorted(os.listdir(tmp_path)) == ["r.parquet", "u.csv"]


def test_rules(verb, run, tmp_path):
    items = [f"item-{n:04d}" for n in range(40)]
    (tmp_path / "stock.txt").write_text("\n".join([*items[:9], "sold out"]))
    (tmp_path / "not.csv").write_text("item,why\nitem-0003,broken\n")
    (tmp_path / "had.csv").write_text("user,item\nuser-0001,item-0005\n")
    line = ("recommend", run, "--user", "user-0001", "-k", 40, "--json", "--seen", "keep")
    found = json.loads(
        verb(
            *line,
            *("--only-items", tmp_path / "stock.txt", "--without-items", tmp_path / "not.csv"),
            *("--exclude", tmp_path / "had.csv", "--where", "title is not null and id <> 'item-0001'"),
        ).out
    )
    assert {one["item"] for one in found["users"]["user-0001"]} == {items[n] for n in (0, 2, 4, 6, 7, 8)}
    assert found["notes"] == ["1 of the 10 ids of only_items are of no item here, for example 'sold out'"]
    (tmp_path / "today.csv").write_text("item,stock\nitem-0004,3\nitem-0005,0\n")
    stocked = verb(*line, "--where", "stock > 0", "--item-table", tmp_path / "today.csv").out
    assert [one["item"] for one in json.loads(stocked)["users"]["user-0001"]] == ["item-0004"]
    verb(*line, "--item-table", tmp_path / "today.csv").refused("--item-table brings columns", "give one with --where")
    verb(*line, "--where", "stock > 0", "--item-table", tmp_path / "had.txt").refused("no such file")
    verb(*line, "--where", "prize < 3").refused("where: no column 'prize'; there are: id, title, text, image, kind")
    verb(*line, "--where", "id = 'x'").refused("no item is left by --where; there are 40 items")
    verb(*line[:-2], "--seen", "show").refused("seen must be one of hide, keep (got 'show')")
    verb(*line, "--exclude", tmp_path / "not.csv").refused("no column 'user'")
    verb(*line, "--only-items", tmp_path / "gone").refused("no such file")


def test_similar_for_many(verb, run, tmp_path):
    two = json.loads(verb("similar", run, "--item", "item-0001", "--item", "NEW-1 🎉", "-k", 2, "--json").out)["items"]
    assert {name: len(found) for name, found in two.items()} == {"item-0001": 2, "NEW-1 🎉": 2}
    out = tmp_path / "s.jsonl"
    assert json.loads(verb("similar", run, "--all-items", "-k", 2, "--out", out, "--json").out)["rows"] == 82
    assert pl.read_ndjson(out).columns == ["item", "rank", "similar_item", "title", "score", "source", "cold"]
    line = ("similar", run, "--all-items", "--include-cold", "-k", 2, "--out", out, "--overwrite")
    assert "82 rows for 41 items" in verb(*line).out
    (tmp_path / "i.txt").write_text("item-0001\nabsent\n")
    told = verb("similar", run, "--items-file", tmp_path / "i.txt", "-k", 2, "--where", "id < 'item-0003'")
    assert "absent" in told.err
    assert "like item item-0001" in told.out
    verb("similar", run, "--items-file", tmp_path / "i.txt", "--unknown", "error").refused("unknown item 'absent'")
    verb("similar", run).refused("pass --item, --items-file or --all-items")
    verb("similar", run, "--item", "a", "--user", "b").refused("pass --item")


def test_users_like_a_user(verb, run, tmp_path):
    found = json.loads(verb("similar", run, "--user", "user-0001", "-k", 3, "--json").out)
    assert (found["user"], len(found["similar"])) == ("user-0001", 3)
    assert found["similar"][0]["user"] in verb("similar", run, "--user", "user-0001", "-k", 1).out
    two = json.loads(verb("similar", run, "--user", "user-0001", "--user", "user-0002", "-k", 3, "--json").out)
    assert list(two["users"]) == ["user-0001", "user-0002"]
    out = tmp_path / "s.csv"
    assert "120 rows for 60 users" in verb("similar", run, "--all-users", "-k", 2, "--out", out).out
    assert pl.read_csv(out).columns == ["user", "rank", "similar_user", "score"]
    verb("similar", run, "--user", "user-0001", "--where", "id = 'a'").refused("are rules on items")
    verb("similar", run, "--user", "nobody").refused("unknown user 'nobody'")
    verb("similar", run, "--all-users").refused("--all-users needs a file to write")


def test_scores_of_pairs(verb, run, tmp_path):
    best = json.loads(verb("recommend", run, "--user", "user-0001", "-k", 1, "--json").out)["users"]["user-0001"][0]
    pairs = pl.DataFrame({"u": ["user-0001", "zoe"], "i": [best["item"], "item-0001"], "label": ["1", "0"]})
    pairs.write_csv(tmp_path / "p.csv")
    line = ("score", run, "--pairs", tmp_path / "p.csv", "--user", "u", "--item", "i")
    found = json.loads(verb(*line, "--json").out)
    assert found["left_out"] == 1
    assert found["pairs"][0]["score"] == pytest.approx(best["score"], rel=1e-5)
    told = verb(*line)
    assert "1 pairs of an unknown user or item were left out" in told.err
    assert best["item"] in told.out
    assert "s.parquet: 2 pairs" in verb(*line, "--unknown", "popular", "--out", tmp_path / "s.parquet").out
    scored = pl.read_parquet(tmp_path / "s.parquet")
    assert scored.columns == ["u", "i", "label", "score", "source"]
    assert scored["source"].to_list() == ["model", "popular"]
    verb(*line, "--out", tmp_path / "s.parquet").refused("pass --overwrite to replace it")
    verb(*line, "--unknown", "error").refused("p.csv: line 3: user 'zoe' is not in data set", "--unknown skip")
    verb(*line[:-1], "nope").refused("no column 'nope'; there are: 'u', 'i', 'label'")
    verb(*line, "--out", tmp_path / "p.csv", "--overwrite").refused("is what this command reads")


@pytest.mark.parametrize("what", ["item", "user"])
def test_all_and_some_at_once(verb, run, what):
    verb("similar", run, f"--all-{what}s", f"--{what}", "x", "--out", "o.parquet").refused(
        f"--all-{what}s names all; pass it without --{what} and --{what}s-file"
    )


@pytest.mark.parametrize(("option", "value"), [("--actors", 2), ("--address", "auto")])
def test_options_of_ray_without_it(verb, run, tmp_path, option, value):
    verb("recommend", run, "--all-users", "--out", tmp_path / "r.parquet", option, value).refused(
        f"{option} is for actors of Ray; pass --engine ray"
    )


def test_metrics_of_content_need_the_data_set(verb, run):
    verb("evaluate", run, "--metrics", "diversity").refused(
        "metric 'diversity' needs the items' features", "is not at None"
    )
    config = run / "config.yaml"
    try:
        config.write_text("protocol: fast\n")
        verb("evaluate", run).refused("config.yaml: protocol: there are clean, mmrec (got 'fast')")
        other = make_catalogue(n_users=61, n_items=40, image_size=16).save(run.parent / "other")
        config.write_text(f"dataset: {other.path}\n")
        verb("evaluate", run, "--metrics", "diversity").refused("data set 'catalogue' is not the one", "was trained on")
    finally:
        config.unlink()
