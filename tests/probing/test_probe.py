import json

import numpy as np
import pytest

from alignrec_geo.dataset import Features, Split, SplitConfig, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.models import ContentKNN
from alignrec_geo.models.held_out import tables_of
from alignrec_geo.probing.probe import Probe
from alignrec_geo.testing import parity_by_content


def test_content_that_tells_beats_content_that_does_not():
    rows = {(row.content, row.centred): row for row in Probe(parity_by_content(), ["signal", "noise"]).rows()}
    for metric in ("zero_shot", "item_cf"):
        signal, noise, chance = (
            getattr(rows[name, False], metric).metrics["recall@20"] for name in ("signal", "noise", "chance")
        )
        assert signal > 1.3 * noise
        assert noise < 1.5 * chance
    assert rows["signal", True].agreement > 1.2 * rows["noise", True].agreement


def test_zero_shot_is_what_the_content_knn_model_scores():
    data = parity_by_content()
    row = Probe(data, ["signal+noise"]).row("signal+noise", centred=True)
    model = ContentKNN.from_dataset(data, features=["signal", "noise"])
    expected = Evaluator(data.interactions, Split.TEST)(model.embeddings()).metrics
    assert row.zero_shot.metrics == pytest.approx(expected)


def test_held_out_users_are_judged_by_their_histories():
    data = parity_by_content().with_split(SplitConfig(rule="cold-users", validation=0.2, test=0.4))
    row = Probe(data, ["signal"]).row("signal", centred=True)
    model = ContentKNN.from_dataset(data, features=["signal"])
    expected = Evaluator(data, Split.TEST)(tables_of(model, data)).metrics
    assert row.zero_shot.metrics == pytest.approx(expected)
    assert row.item_cf.metrics["recall@20"] > 0


def test_only_items_with_all_compared_features_take_part():
    data = parity_by_content()
    half = np.arange(60) % 2 == 0
    third = Features("third", np.ones((60, 2), dtype=np.float32) * half[:, None], half)
    probe = Probe(data.with_features(third), ["signal", "third"])
    assert probe.items.tolist() == list(range(0, 60, 2))
    assert probe.pairs.n_items == 30
    assert {row.zero_shot.users.tolist() == probe.evaluator.users.tolist() for row in probe.rows()} == {True}


def test_bad_input():
    data = parity_by_content()
    with pytest.raises(InputError, match="nothing to compare"):
        Probe(data, [])
    with pytest.raises(InputError, match="video"):
        Probe(data, ["video"])
    none = Features("none-at-all", np.zeros((60, 2), dtype=np.float32), np.zeros(60, dtype=bool))
    with pytest.raises(InputError, match="no item"):
        Probe(data.with_features(none), ["none-at-all"])


def test_the_verb(verb, whole_reports, tmp_path):
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    data.save(tmp_path / "data")
    done = verb("probe", tmp_path / "data", "--json", "--out", tmp_path / "probe.json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert content == json.loads((tmp_path / "probe.json").read_text())
    assert [row["content"] for row in content["rows"]][:2] == ["chance", "popularity"]
    present = [data.features(name).present for name in data.feature_names]
    assert content["items"] == np.logical_and.reduce(present).sum()
    table = verb("probe", tmp_path / "data", "--features", "image,image+text")
    assert table.code == 0
    assert "zero-shot" in table.out
    for name, start in (("probe.svg", b"<svg"), ("probe.png", b"\x89PNG")):
        assert verb("probe", tmp_path / "data", "--features", "image", "--figure", tmp_path / name).code == 0
        assert (tmp_path / name).read_bytes().startswith(start)
    verb("probe", tmp_path / "data", "--figure", tmp_path / "x.gif").refused("ends in .svg or .png", "x.gif")
    verb("probe", tmp_path / "data", "--features", "video").refused("video")
    verb("probe", tmp_path / "data", "--protocol", "x").refused("unknown protocol (got 'x')")
