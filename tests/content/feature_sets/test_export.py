from dataclasses import replace

import numpy as np
import pytest

from alignrec_geo import AlignRec, Features, fit
from alignrec_geo.content.feature_sets.export import EXPORT, MARKER, export_mmrec
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.mmrec import read_mmrec
from alignrec_geo.errors import InputError
from alignrec_geo.training import TrainingConfig
from tests.dataset.toys import dataset

PROBED = {
    "dataset": "shop", "split": "test", "protocol": "mmrec", "items": 1234,
    "rows": [
        {"content": "text", "centred": True, "zero_shot": {"recall@20": 0.0684}, "item_cf": None, "agreement": 0.25},
    ],
}  # fmt: skip


@pytest.fixture
def catalogue():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def test_a_folder_is_read_back_and_trains_to_the_same_result(tmp_path, catalogue):
    assert export_mmrec(catalogue, {"image": "image", "words": "text"}, tmp_path / "out") == []
    back = read_mmrec(tmp_path / "out")
    assert back.name == catalogue.name
    assert back.users["id"].to_list() == catalogue.users["id"].to_list()
    assert back.items["id"].to_list() == catalogue.items["id"].to_list()
    for column in ("user", "item", "split", "timestamp"):
        assert np.array_equal(getattr(back.interactions, column), getattr(catalogue.interactions, column)), column
    for name, source in (("image", "image"), ("words", "text")):
        assert np.array_equal(back.features(name).matrix, catalogue.features(source).matrix)
        assert np.array_equal(back.features(name).present, catalogue.features(source).present)
    settings = TrainingConfig(epochs=2, batch_size=256, device="cpu")
    results = [
        fit(AlignRec.from_dataset(data, features=names), data, settings).metrics
        for data, names in ((catalogue, ["image"]), (back, ["image"]))
    ]
    assert results[0] == results[1]


def test_the_card_says_what_the_files_are(tmp_path, catalogue):
    export_mmrec(catalogue, {"image": "image"}, tmp_path / "out", probed=PROBED)
    card = (tmp_path / "out" / "README.md").read_text()
    found = catalogue.features("image")
    row = f"| `image_feat.npy` | image | 40 | {found.width} | {int(found.present.sum())} |"
    assert row in card
    for key, value in found.meta.items():
        assert f"{key}: {value}" in card
    assert "| text, centred | 0.0684 | – | 0.2500 |" in card
    assert "1,234 items" in card
    export_mmrec(catalogue, {"image": "image"}, tmp_path / "out", overwrite=True)
    assert "Not measured" in (tmp_path / "out" / "README.md").read_text()


def test_what_the_layout_cannot_hold_is_left_out_and_said(tmp_path):
    base = dataset()
    inter = base.interactions
    changed = inter.with_split(np.where(inter.item == inter.item.max(), int(Split.UNUSED), inter.split).astype(np.int8))
    data = replace(base, interactions=changed).with_features(
        Features("image", np.ones((3, 2), dtype=np.float32), np.array([True, False, True]))
    )
    notes = export_mmrec(data, {"image": "image"}, tmp_path / "out")
    unused = int((changed.split == Split.UNUSED).sum())
    assert notes[0] == f"{unused} pairs that are in no split"
    assert "1 items after the last one that has a pair" in notes
    back = read_mmrec(tmp_path / "out")
    assert back.items["id"].to_list() == data.items["id"].to_list()[:2]
    assert back.features("image").present.tolist() == [True, False]
    assert f"Left out: {notes[0]}" in (tmp_path / "out" / "README.md").read_text()


def test_what_cannot_be_exported(tmp_path, catalogue):
    with pytest.raises(InputError, match="has no features 'audio'"):
        export_mmrec(catalogue, {"image": "audio"}, tmp_path / "out")
    zeros = Features("zero", np.zeros((40, 2), dtype=np.float32), np.ones(40, dtype=np.bool_))
    with pytest.raises(InputError, match="the vectors of 40 items are all zeros"):
        export_mmrec(catalogue.with_features(zeros), {"zero": "zero"}, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")
    with pytest.raises(InputError, match="already exists"):
        export_mmrec(catalogue, {"image": "image"}, tmp_path / "out")


def test_a_marker_of_another_program_is_no_export(tmp_path):
    assert EXPORT.problem(tmp_path) == f"has no {MARKER}"
    for content in ("[]", '{"files": {}}', '{"made_by": "another", "files": {}}'):
        (tmp_path / MARKER).write_text(content)
        assert EXPORT.problem(tmp_path) == f"holds a {MARKER} that is not of this program"
