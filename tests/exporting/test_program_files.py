"""What is told of exported programs and compared when they are read back, without the cost of a translation."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo import load_top_items
from alignrec_geo.dataset import Dataset, Features
from alignrec_geo.errors import InputError
from alignrec_geo.exporting import ExportOptions, export_run, program_files
from alignrec_geo.exporting.folder import EXPORT
from alignrec_geo.exporting.parquet import halves
from alignrec_geo.exporting.source import Source
from alignrec_geo.serving import NeighbourMean, save_embeddings


@pytest.fixture
def eager(monkeypatch):
    """Programs are written as their names and run as the modules that they would be made of."""

    def write(program, folder):
        (folder / f"{program.name}.pt2").write_text(program.name)
        return {f"{program.name}.pt2": "a program"}

    def run(program, folder, kind, inputs):
        with torch.no_grad():
            return list(program.module(*inputs))

    monkeypatch.setattr(program_files, "load_onnx", lambda: None)
    monkeypatch.setattr(program_files, "write_onnx", write)
    monkeypatch.setattr(program_files, "write_torch", write)
    monkeypatch.setattr(program_files, "_run", run)


@pytest.mark.parametrize("to", ["onnx", "torch-export"])
def test_what_is_told_of_programs(folder, tmp_path, eager, to):
    manifest = export_run(folder / "content", to, tmp_path / "out", ExportOptions(k=7))
    programs = manifest["programs"]
    assert list(programs) == ["scorer", "item-encoder"]
    assert programs["scorer"] == {"inputs": {"users": ["float32", 8]}, "outputs": ["scores", "rows"]}
    assert list(programs["item-encoder"]["inputs"]) == ["image", "has_image", "text", "has_text"]
    assert ("opset" in manifest) == (to == "onnx")
    assert manifest["checked"]["scorer"]["same_items"] == 1.0
    assert manifest["checked"]["item-encoder"]["agreeing"] == 1.0
    assert "`image`, `text` and whether" in (tmp_path / "out" / "README.md").read_text()
    assert pl.read_parquet(tmp_path / "out" / "items.parquet").height == 60
    half = export_run(folder / "ids", to, tmp_path / "half", ExportOptions(float16=True))
    assert list(half["programs"]) == ["scorer"]
    assert 0 < half["checked"]["scorer"]["largest_score_difference"] < 1e-2


@pytest.mark.parametrize("program", ["scorer", "item-encoder"])
def test_a_program_that_differs_when_it_is_read_back_is_not_handed_on(folder, tmp_path, eager, monkeypatch, program):
    right = program_files._run

    def wrong(one, *rest):
        first, second = right(one, *rest)
        return [first + 1.0 * (one.name == program), second]

    monkeypatch.setattr(program_files, "_run", wrong)
    words = "gives other items than the run" if program == "scorer" else "the item encoder, read back, agrees .* for 0%"
    with pytest.raises(InputError, match=words):
        export_run(folder / "content", "torch-export", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encoder_is_compared_on_drawn_rows_where_its_matrix_is_gone(folder, eager):
    source = Source(folder / "content")
    there = program_files._examples(source, "image", source.data.features("image").width)
    gone = program_files._examples(source, "sound", 5)
    assert [part.shape[0] for part in (*there, *gone)] == [51] * 4
    assert gone[0].shape == (51, 5)
    assert gone[1].tolist() == [True] * 50 + [False]
    assert torch.equal(gone[0], program_files._examples(source, "sound", 5)[0])


def test_inputs_of_one_name_and_tables_without_a_run(folder, tmp_path):
    data, top = Dataset.open(folder / "data"), load_top_items(folder / "content")
    image = data.features("image")
    names = {"sound": image, "has_sound": data.features("text")}
    parts = [Features(name, part.matrix, part.present) for name, part in names.items()]
    double = data.with_features(*parts)
    rule = NeighbourMean(top.embeddings, double, list(names))
    source = SimpleNamespace(rule=lambda: rule, data=double, features=list(names))
    with pytest.raises(InputError, match="features called sound, has_sound and has_… would be inputs of one name"):
        program_files._encoder(source, False)
    save_embeddings(tmp_path / "tables", top.embeddings, top.dataset)
    with pytest.raises(InputError, match="holds tables and ids alone; of what content they were made is not known"):
        _ = Source(tmp_path / "tables").data
    with pytest.raises(InputError, match=r"float16 holds numbers up to 65,504; the tables go up to 70000"):
        halves(np.array([[7e4, 1.0]], dtype=np.float32))


def test_vectors_of_parquet_that_are_others_when_they_are_read_back(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("alignrec_geo.exporting.parquet.np.array_equal", lambda *pair: False)
    with pytest.raises(InputError, match="are not those of the run when they are read back"):
        export_run(folder / "ids", "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_folder_of_an_export(tmp_path):
    assert EXPORT.problem(tmp_path) == "has no manifest.json"
    (tmp_path / "manifest.json").write_text("[]")
    assert EXPORT.problem(tmp_path) == "holds a manifest.json that is not of an export"
