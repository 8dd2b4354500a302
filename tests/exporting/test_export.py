"""Exports, loaded the way their own README says by a process that has none of this package."""

import json
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo import load_top_items
from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.exporting import ExportOptions, export_run, faiss_files
from alignrec_geo.exporting.modules import ItemVector, Scorer
from alignrec_geo.files import sha256_of
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.serving import ColdItems, NeighbourMean, save_cold_items
from alignrec_geo.serving.store import EMBEDDINGS

WITHOUT_US = "import sys; sys.modules['alignrec_geo'] = None\n"


def elsewhere(code, where):
    """What a fresh process prints that cannot import this package."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", WITHOUT_US + code], cwd=where, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_of(readme):
    return re.search(r"```python\n(.*?)```", (readme / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]


def best_of_first(run, k=10):
    """The first user and the best items, seen ones included."""
    top = load_top_items(run)
    user = top.user_ids[0]
    found = top.recommend(user, k, seen="keep", unknown="popular")[user]
    return f"{user} {[item.item for item in found]}"


@pytest.mark.parametrize("to", ["parquet", "faiss"])
def test_the_code_of_the_readme_gives_the_same_items(folder, tmp_path, to):
    manifest = export_run(folder / "content", to, tmp_path / "out")
    assert manifest["checked"]["best items"]["same_items"] == 1.0
    assert elsewhere(code_of(tmp_path / "out"), tmp_path / "out").strip() == best_of_first(folder / "content")


@pytest.mark.slow  # torch.export and its ONNX translation take some ten seconds to import and run
@pytest.mark.parametrize("to", ["onnx", "torch-export"])
def test_programs_give_the_same_items_and_vectors(folder, tmp_path, to):
    run, out = folder / "content", tmp_path / "out"
    manifest = export_run(run, to, out)
    assert manifest["checked"]["scorer"]["same_items"] == 1.0
    assert elsewhere(code_of(out), out).strip() == best_of_first(run)
    data = Dataset.open(folder / "data")
    rows = {name: data.features(name) for name in data.feature_names}
    np.savez(out / "rows.npz", **{name: part.matrix[:7] for name, part in rows.items()})
    load = {
        "onnx": "import onnxruntime; s = onnxruntime.InferenceSession('item-encoder.onnx')\n"
        "v = s.run(None, {**given, **has})[0]",
        "torch-export": "import torch; m = torch.export.load('item-encoder.pt2').module()\n"
        "v = m(*[torch.from_numpy(x) for n in given for x in (given[n], has[f'has_{n}'])])[0].numpy()",
    }[to]
    given = "import numpy as np\nz = np.load('rows.npz'); given = {n: z[n] for n in z.files}\n"
    has = "has = {f'has_{n}': np.arange(7) != 3 for n in given}\n"
    found = np.array(json.loads(elsewhere(given + has + load + "\nimport json; print(json.dumps(v.tolist()))", out)))
    rule = NeighbourMean(load_top_items(run).embeddings, data, data.feature_names)
    there = torch.arange(7) != 3
    parts = [Modality(name, torch.from_numpy(part.matrix[:7]), there) for name, part in rows.items()]
    wanted = rule(rule.space.place(parts))[0].numpy()
    assert np.allclose(found, wanted, atol=1e-5)
    assert not found[3].any()
    assert np.abs(wanted[0]).max() > 0


def test_the_item_module_is_the_rule_of_embed(folder):
    """Modalities that are missing, one by one and together, without the cost of a translation."""
    data, run = Dataset.open(folder / "data"), folder / "content"
    rule = NeighbourMean(load_top_items(run).embeddings, data, data.feature_names)
    generator, module = torch.Generator().manual_seed(0), ItemVector(rule)
    parts, inputs = [], []
    for number, (name, width) in enumerate(rule.space.widths.items()):
        x = torch.randn(8, width, generator=generator)
        present = (torch.arange(8) >> number) % 2 == 0
        parts.append(Modality(name, x, present))
        inputs += [x, present]
    wanted, known = rule(rule.space.place(parts))
    vectors, found = module(*inputs)
    assert torch.equal(found, known)
    assert not known.all()
    assert torch.allclose(vectors, wanted, atol=1e-5)
    assert torch.allclose(ItemVector(rule, half=True)(*inputs)[0], wanted, atol=0.02)


def test_a_scorer_in_half_precision_finds_nearly_the_same():
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(5, 16, generator=generator), torch.randn(300, 16, generator=generator)
    whole, half = Scorer(items, k=20), Scorer(items, k=20, half=True)
    scores, rows = whole(users)
    assert torch.equal(rows, (users @ items.T).topk(20).indices)
    assert half.items.dtype == torch.float16
    assert torch.allclose(half(users)[0], scores, atol=0.02)
    assert Scorer(items[:7], k=20)(users)[1].shape == (5, 7)


def test_parquet_holds_ids_columns_and_everybodys_items(folder, tmp_path):
    manifest = export_run(folder / "content", "parquet", tmp_path / "out", ExportOptions(k=4))
    top = load_top_items(folder / "content")
    users, items = (pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("users", "items"))
    assert users["id"].to_list() == top.user_ids.to_list()
    assert items["title"].to_list() == top.dataset.items["title"].to_list()
    assert np.array_equal(items["vector"].to_numpy(), top.embeddings.items.numpy())
    assert users["trained"].to_list() == top.trained_users.tolist()
    best = pl.read_parquet(tmp_path / "out" / "recommendations.parquet")
    assert best.equals(top.recommend_all(k=4).to_frame())
    assert manifest["recommendations"] == {"k": 4, "rows": best.height}
    for name, facts in manifest["files"].items():
        assert facts["sha256"] == sha256_of(tmp_path / "out" / name)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == manifest


def test_half_precision_and_cold_items(folder, tmp_path):
    run, top = folder / "content", load_top_items(folder / "content")
    new = ColdItems(["NEW"], ["A new one"], torch.ones(1, top.embeddings.items.shape[1]))
    save_cold_items(run / "cold.safetensors", new, run / EMBEDDINGS)
    try:
        export_run(run, "parquet", tmp_path / "out", ExportOptions(float16=True, include_cold=True))
        manifest = export_run(run, "faiss", tmp_path / "faiss", ExportOptions(float16=True, include_cold=True))
    finally:
        (run / "cold.safetensors").unlink()
    items = pl.read_parquet(tmp_path / "out" / "items.parquet")
    assert items.schema["vector"] == pl.Array(pl.Float16, new.vectors.shape[1])
    assert items.tail(1).select("id", "trained", "by_content").rows() == [("NEW", False, True)]
    assert manifest["items"] == 61
    assert manifest["checked"]["best items"]["largest_score_difference"] < 1e-2


def test_a_large_table_is_cut_into_lists(folder, tmp_path, monkeypatch):
    """As above 200,000 items: faiss alone finds what the index of this package finds."""
    monkeypatch.setattr(faiss_files, "LARGE", 10)
    manifest = export_run(folder / "content", "faiss", tmp_path / "out")
    assert manifest["index"]["kind"] == "IndexIVFScalarQuantizer"
    assert manifest["checked"]["best items"]["same_items"] > 0.9
    read = "import faiss; i = faiss.read_index('items.faiss'); print(i.ntotal, i.nlist, i.nprobe)"
    told = manifest["index"]
    assert elsewhere(read, tmp_path / "out").split() == ["60", str(told["lists"]), str(told["nprobe"])]


def test_a_run_on_ids_has_no_item_encoder(folder, tmp_path):
    with pytest.raises(InputError, match="trained on ids alone, so there is no item encoder"):
        export_run(folder / "ids", "torch-export", tmp_path / "out", ExportOptions(programs=["item-encoder"]))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--to", "csv"), ["to must be one of parquet, faiss, onnx, torch-export (got 'csv')"]),
        (("--to", "faiss", "-k", 3), ["k goes with the other formats"]),
        (("--to", "parquet", "--programs", "scorer"), ["programs goes with"]),
        (("--to", "onnx", "--programs", "encoder"), ["programs must be some of scorer, item-encoder (got 'encoder')"]),
        (("--to", "parquet", "--include-cold"), ["no vectors of cold items yet"]),
        (("--to", "parquet", "--out", "."), ["already exists and is not empty"]),
    ],
)
def test_bad_options(folder, verb, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    verb("export", folder / "content", "--out", "out", *options).refused(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_verb(folder, verb, tmp_path):
    out = tmp_path / "out"
    done = verb("export", folder / "content", "--to", "parquet", "--out", out)
    assert done.code == 0, done.err
    assert "read back, best items: users" in done.out
    verb("export", folder / "content", "--to", "parquet", "--out", out).refused("pass --overwrite")
    told = json.loads(verb("export", folder / "ids", "--to", "parquet", "--out", out, "--overwrite", "--json").out)
    assert told["model"] == "bpr"
    (out / "notes.txt").write_text("mine")
    verb("export", folder / "ids", "--to", "parquet", "--out", out, "--overwrite").refused("holds 'notes.txt'")
    (out / "notes.txt").unlink()
    (out / "README.md").write_text("mine")
    again = verb("export", folder / "ids", "--to", "parquet", "--out", out, "--overwrite")
    again.refused("holds 'README.md', which was changed since")
    assert (out / "README.md").read_text() == "mine"
    verb("export", folder / "data", "--to", "parquet", "--out", tmp_path / "x").refused("not a run folder")


def test_missing_packages_are_one_line(folder, verb, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    verb("export", folder / "ids", "--to", "faiss", "--out", tmp_path / "a").refused("pip install 'alignrec-geo[ann]'")
    verb("export", folder / "ids", "--to", "onnx", "--out", tmp_path / "b").refused("pip install 'alignrec-geo[onnx]'")
    assert not list(tmp_path.iterdir())
