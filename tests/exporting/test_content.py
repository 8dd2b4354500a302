"""The exported item encoder where stage 1 made the run's features: from the matrices that it was made of."""

import numpy as np
import pytest
import torch

from alignrec_geo.content.feature_sets.whiten import whiten_features
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.item_encoding.encode_items import encode_items
from alignrec_geo.dataset import Dataset, Features, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.exporting import ExportOptions, export_run
from alignrec_geo.exporting.content import ItemFromContent, Stage, stage_of
from alignrec_geo.serving import NeighbourMean
from tests.conftest import in_this_process

SMALL = [part for setting in ("dim=16", "heads=2", "layers=1", "epochs=1") for part in ("--set", setting)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A catalogue with aligned features, an imported matrix, and that one whitened."""
    catalogue = make_catalogue(n_users=60, n_items=80, image_size=16)
    plain = np.random.default_rng(0).random((80, 5), dtype=np.float32)
    folder = tmp_path_factory.mktemp("content") / "data"
    catalogue.with_features(Features("plain", plain, np.arange(80) != 4)).save(folder)
    done = in_this_process("pretrain", folder, "--encoder", "features", "--features", "image,text", *SMALL)
    assert done.code == 0, done.err
    whiten_features(Dataset.open(folder), "plain")
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def rule(data):
    generator = torch.Generator().manual_seed(0)
    tables = Embeddings(*(torch.randn(n, 6, generator=generator) for n in (60, 80)))
    return NeighbourMean(tables, data, ["aligned-features", "plain-white", "text"])


def test_it_is_what_embed_does_with_the_rows_that_an_item_brings(data, rule):
    """Through the encoders of the package here, one module there; with all that may be missing."""
    module = ItemFromContent(rule, [stage_of(data, name) for name in rule.space.widths])
    assert list(module.widths) == ["image", "text", "plain"]
    rng = np.random.default_rng(1)
    rows = {name: rng.standard_normal((8, width)).astype(np.float32) for name, width in module.widths.items()}
    has = {name: (np.arange(8) >> bit) % 2 == 0 for bit, name in enumerate(rows)}
    items = [NewItem(f"new-{n}", vectors={name: rows[name][n] for name in rows if has[name][n]}) for n in range(8)]
    parts, _ = encode_items(data, list(rule.space.widths), items)
    wanted, known = rule(rule.space.place(parts))
    given = [torch.from_numpy(part[name]) for name in rows for part in (rows, has)]
    with torch.no_grad():
        vectors, found = module(*given)
    assert torch.equal(found, known)
    assert found.tolist() == [True] * 7 + [False]
    assert torch.allclose(vectors, wanted, atol=1e-4)
    assert (wanted[0] - wanted[1]).abs().max() > 1e-3


def test_a_matrix_without_its_encoder_is_brought(data, tmp_path):
    copy = data.save(tmp_path / "copy")
    assert stage_of(copy, "aligned-features").module is not None
    for file in (copy.path / "encoders" / "aligned-features").iterdir():
        file.unlink()
    assert stage_of(copy, "aligned-features").widths == {"aligned-features": 16}
    damaged = copy.path / "encoders" / "plain-white" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(InputError, match=r"plain-white/model\.safetensors"):
        stage_of(copy, "plain-white")


@pytest.mark.slow  # torch.export and its ONNX translation take some ten seconds
def test_it_is_exported_and_read_back(data, tmp_path):
    asked = ("train", data.path, "--features", "aligned-features,plain-white", "--set", "epochs=1", "--set", "dim=8")
    assert in_this_process(*asked, "--out", tmp_path / "run").code == 0
    manifest = export_run(tmp_path / "run", "onnx", tmp_path / "out", ExportOptions(programs=["item-encoder"]))
    assert manifest["checked"]["item-encoder"]["agreeing"] == 1.0
    inputs = manifest["programs"]["item-encoder"]["inputs"]
    assert list(inputs) == ["image", "has_image", "text", "has_text", "plain", "has_plain"]
    assert inputs["plain"] == ["float32", 5]
    assert "`image`, `text`, `plain`" in (tmp_path / "out" / "README.md").read_text()


def test_one_name_has_one_width(rule):
    stages = [Stage("a", {"image": 3}, None), Stage("b", {"image": 4}, None)]
    with pytest.raises(InputError, match="rows of 'image' are 3 wide for one matrix, 4 for another"):
        ItemFromContent(rule, stages)


def test_rows_of_an_encoder_of_another_kind_are_brought(data, monkeypatch):
    monkeypatch.setattr("alignrec_geo.exporting.content.open_item_encoder", lambda *given: object())
    made = stage_of(data, "aligned-features")
    assert made.widths == {"aligned-features": 16}
    assert made.module is None
