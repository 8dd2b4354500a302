"""Details of charts: labels in a crowd, long curves, groups without anyone, fonts, the search of a comparison."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from alignrec_geo import make_catalogue
from alignrec_geo.dataset import Features
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.reporting import charts, labels, run_charts, run_report, search_charts, tables
from alignrec_geo.reporting.feature_space import open_contents


def drawn(chart):
    """The axes that a chart draws on."""
    axes = Figure().subplots()
    chart.draw(axes)
    return axes


def test_a_label_without_room_stands_above_its_point():
    axes = Figure(figsize=(1, 0.4)).subplots()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    names = [f"a long name {n}" for n in range(12)]
    labels.name_points(axes, [(0.5, 0.5)] * 12, names, ["black"] * 12)
    assert [text.get_text() for text in axes.texts] == names
    assert any(text.xyann == (0.0, 10.0) for text in axes.texts)


def test_long_curves_are_thinned_and_keep_their_ends_and_the_chosen_epoch():
    points = [(n, n / 10) for n in range(10 * run_charts.MOST_POINTS)]
    x, y = run_charts._thinned(points, 1234)
    assert len(x) == len(y) <= run_charts.MOST_POINTS + 1
    assert {0, 1234, points[-1][0]} <= set(x)
    assert run_charts._thinned(points[:5], 2) == ([0, 1, 2, 3, 4], [0.0, 0.1, 0.2, 0.3, 0.4])


def test_groups_without_anyone_have_no_chart():
    assert run_charts.groups("Users", "alignrec", {"users": {}}, {}, "users", {}) is None


def test_a_table_of_groups_leaves_out_what_was_not_measured():
    def run(value):
        return {"groups": {"users": {"few": {"recall@20": value}, "many": {"recall@20": 0.5}}}}

    models = [{"name": "a", "runs": [run(None), run(0.25)]}, {"name": "b", "runs": [{}]}]
    head, rows = tables.group_table({"models": models}, "users")
    assert head == ["model", "many", "few"]
    assert rows == [["a", "0.5000", "0.2500"]]


@pytest.mark.parametrize(
    ("style", "wanted"),
    [
        ("font: 700 12.5px 'Inter', sans-serif", "font-size: 12.5px; font-weight: 700"),
        ("font: bold 9px Inter", "font-size: 9px; font-weight: bold"),
        ("font: italic 9px Inter", "font-size: 9px"),
    ],
)
def test_fonts_of_a_chart_are_those_of_the_page(style, wanted):
    tag = re.fullmatch(r"<[^>]+>", f'<text style="{style}; fill: #123456" x="1.23456">')
    assert charts._shortened(tag) == f'<text style="{wanted}; fill: #123456" x="1.23">'


def test_contents_that_no_item_has():
    data = make_catalogue(n_users=20, n_items=30, image_size=16)
    rows = np.ones((30, 2), dtype=np.float32)
    apart = [Features(name, rows, np.arange(30) % 2 == bit) for bit, name in enumerate(("even", "odd"))]
    with pytest.raises(InputError, match=r"no item of '.*' has all of: even, odd"):
        open_contents(data.with_features(*apart), ["even", "odd"])
    with pytest.raises(InputError, match="has no feature matrices; make some with 'features extract'"):
        open_contents(data, [])


def test_scores_of_nobody_are_not_taken_apart(monkeypatch):
    """Whoever has every item is recommended none."""
    data = make_catalogue(n_users=20, n_items=30, image_size=16)
    block = torch.arange(20), torch.full((20, 10), -torch.inf), torch.zeros(20, 10, dtype=torch.long)
    monkeypatch.setattr(run_report, "Evaluator", lambda *given: SimpleNamespace(rank=lambda tables: [block]))
    served = run_report.Served(data, None, SimpleNamespace(popularity={"test": {}}), None)
    parts = SimpleNamespace(of=lambda *rows: pytest.fail("nothing is recommended"))
    assert run_report._contributions(served, Protocol.CLEAN, parts) == []


def test_images_of_a_data_set_that_is_another_by_now(tmp_path):
    data = make_catalogue(n_users=20, n_items=30, image_size=16)
    saved = data.save(tmp_path / "data")
    assert run_report._with_images(str(saved.path), data)(0) == saved.image_path(0) is not None
    other = make_catalogue(n_users=20, n_items=31, image_size=16)
    assert run_report._with_images(str(saved.path), other)(0) is None
    (saved.path / "dataset.json").write_text("{")
    assert run_report._with_images(str(saved.path), data)(0) is None


def results():
    def model(name, trials, *curves):
        measured = [{"settings": {"layers": n}, "validation": {"recall@20": 0.1 * n}} for n in range(1, trials + 1)]
        unmeasured = {"settings": {}, "validation": None}
        runs = [{"curve": curve} for curve in curves]
        training = {"metric": "recall@20"}
        return {
            "name": name,
            "trials": [*measured, unmeasured],
            "chosen": {"layers": 2},
            "runs": runs,
            "training": training,
        }

    long, short = [(n, 0.01 * n) for n in range(1, 90)], [(1, 0.2), (2, 0.3), (9, 0.25)]
    return {"reference": "alignrec", "models": [model("alignrec", 3, long, long[:70]), model("bpr", 1, short)]}


def test_trials_and_curves_of_a_comparison():
    found = results()
    rows = [SimpleNamespace(model=name, non_learned=False) for name in ("alignrec", "bpr")]
    chart = search_charts.trials(found, rows)
    axes = drawn(chart)
    assert chart.says == "AlignRec: 3 trials, BPR: 1 trials"
    assert [line.get_xdata().tolist() for line in axes.lines if line.get_markersize() == 9.0] == [[0.2], []]
    assert search_charts.trials({**found, "models": found["models"][1:]}, rows) is None
    panels = search_charts.curves(found, rows)
    assert len(panels) == 2
    first = drawn(panels[0])
    assert first.get_xscale() == "log"  # 89 epochs beside 9
    assert len(first.lines) == 3  # both seeds, the other model behind them
    short = {**found, "models": [found["models"][1]]}
    assert drawn(search_charts.curves(short, rows)[0]).get_xscale() == "linear"
    found["models"][1]["training"] = {"metric": "ndcg@20"}
    assert search_charts.curves(found, rows) == []  # one axis for two metrics would mislead
