"""Every report as a person sees it, on a wide screen and, dark, on a phone; tables of 2 and of 12 models."""

import random

import pytest

from alignrec_geo import AlignRec, explain, fit, make_catalogue
from alignrec_geo.explaining import write_page
from alignrec_geo.explaining.score_parts import score_parts
from alignrec_geo.reporting import comparison_charts
from alignrec_geo.reporting.comparison_page import comparison_page
from alignrec_geo.reporting.feature_page import write_feature_page
from alignrec_geo.reporting.rows import summarise
from alignrec_geo.reporting.run_report import write_run_report
from alignrec_geo.reporting.tuning_report import write_tuning_report
from tests.browser.checks import DESK, PHONE

pytestmark = pytest.mark.slow  # a real browser

VIEWS = pytest.mark.parametrize(("width", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone-dark"])
NAMES = (
    *("alignrec", "freedom", "mgcn", "slmrec", "lightgcn", "lattice", "dualgnn", "vbpr", "mmgcn", "bpr"),
    *("content-knn", "popularity"),
)


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    return make_catalogue(n_users=80, n_items=60, image_size=16).save(tmp_path_factory.mktemp("browser") / "shop")


@pytest.fixture(scope="session")
def trained(shop, tmp_path_factory):
    run = tmp_path_factory.mktemp("browser") / "run"
    model = AlignRec.from_dataset(shop, ["image", "text"], {"dim": 8})
    fit(model, shop, {"epochs": 6, "tensorboard": False}, out=run)
    return model, run


@pytest.fixture(scope="session")
def run_report(trained):
    model, run = trained
    write_run_report(run, score_parts(model))
    return run / "report.html"


def comparison(names, seeds):
    """A table in which everything is there: groups, trials, curves, costs of very different size, tests."""
    draw = random.Random(0)
    models = []
    for place, name in enumerate(names):
        floor = name in ("popularity", "content-knn")
        runs = []
        for seed in range(1, seeds + 1):
            recall = 0.14 - 0.009 * place + 0.001 * draw.random()
            values = {"recall@10": recall / 2, "recall@20": recall, "ndcg@10": recall / 4, "ndcg@20": recall / 3}
            items = {label: {"positives": 900, "recall@20": recall * by} for label, by in (("head", 2), ("tail", 0.1))}
            users = {label: {"users": 1200, "recall@20": recall} for label in ("1-2", "3-4", "20+")}
            cost = {"seconds_per_epoch": 1.5, "seconds_to_best": 0.0 if floor else 8.0 * 1.7**place}
            curve = [] if floor else [[n, recall * (1 - 1 / (n + 1))] for n in range(1, 12 + 9 * place)]
            rest = {"peak_memory_mb": 812.0, "parameters": 2_763_520, "curve": curve, "error": None}
            runs.append({"seed": seed, "metrics": values, "groups": {"users": users, "items": items}, **cost, **rest})
        tried = [
            {"number": n, "settings": {"training.lr": 0.001 * n}, "validation": {"recall@20": 0.1 + draw.random() / 50}}
            for n in range(0 if floor else 4)
        ]
        trials = [{**one, "epochs": 20, "error": None} for one in tried]
        settings = {"parameters": {"dim": 64, "a_rather_long_name_of_a_setting": "auto"}, "training": {"lr": 0.001}}
        chosen = {"training.lr": 0.001}
        models.append({"name": name, "runs": runs, "trials": trials, "chosen": chosen, "features": [], **settings})
    tests = [
        {"baseline": name, "metric": metric, "difference": 0.01, "low": 0.005, "high": 0.015, "users": 6125}
        | {"p": 1e-9, "p_holm": 4e-8}
        for name in names[1:]
        for metric in ("recall@20", "ndcg@20")
    ]
    counts = {"users": 9308, "items": 6710, "train": 59541, "validation": 3051, "test": 6130}
    command = "alignrec-geo compare data/tiktok --models " + ",".join(names) + " --out runs/tiktok-table"
    return {
        "command": command, "dataset": {"name": "tiktok", **counts}, "protocol": "mmrec", "features": ["image"],
        "trials": 4, "seeds": seeds, "reference": "alignrec", "machine": {"cpu": "AMD EPYC", "cpus": 2},
        "models": models, "significance": tests if seeds > 1 else [],
    }  # fmt: skip


@pytest.fixture(scope="session", params=[(12, 3), (2, 1)], ids=["12-models", "2-models"])
def table(request, tmp_path_factory):
    count, seeds = request.param
    results, file = comparison(NAMES[:count], seeds), tmp_path_factory.mktemp("browser") / f"{count}-models.html"
    rows = summarise(results)
    charts = comparison_charts.quality(rows, "alignrec"), comparison_charts.cost(rows, "alignrec")
    file.write_text(comparison_page(results, rows, *charts), encoding="utf-8")  # without the files beside it
    return file


@VIEWS
def test_a_run(visit, run_report, width, dark):
    seen = visit(run_report, width, dark, name="run")
    assert seen.faults() == []
    texts = seen.page.locator("main h2").all_inner_texts()
    assert [text for text in texts if text.startswith(("Three users", "Identity and content", "For whom"))] != []
    assert seen.page.locator(".person").count() == 3
    assert seen.page.locator(".items img").count() > 20  # histories and recommendations, with their images
    assert seen.page.locator(".tile").count() == 6


@VIEWS
def test_a_comparison(visit, table, width, dark):
    seen = visit(table, width, dark, name=f"comparison-{table.stem}")
    assert seen.faults() == []


def test_the_columns_of_a_phone_unfold_and_the_name_stays(visit, table):
    page = visit(table, PHONE, name="unfolded").page
    cells = page.locator(".table").first.locator("thead th")

    def visible():
        return [cell.inner_text() for cell in cells.all() if cell.is_visible()]

    assert visible() == ["model", "Recall@20", "AlignRec − model"]
    page.get_by_text("Show or fold the other columns").click()
    assert len(visible()) == 11
    box = page.locator(".table").first
    box.evaluate("(element) => element.scrollTo(400, 0)")
    first = box.locator("tbody th").first
    assert first.bounding_box()["x"] == pytest.approx(box.bounding_box()["x"], abs=1)  # sticky


@VIEWS
def test_features(visit, shop, tmp_path, width, dark):
    table = ("", "image", "text"), [("items", "60", "60")]
    write_feature_page(shop, ["image", "text"], tmp_path / "features.html", table)
    seen = visit(tmp_path / "features.html", width, dark, name="features")
    assert seen.faults() == []
    assert seen.page.locator(".person").count() == 5


@VIEWS
def test_an_explanation(visit, trained, shop, tmp_path, width, dark):
    write_page(explain(trained[0], "user-0001", "item-0007"), tmp_path / "why.html")
    assert visit(tmp_path / "why.html", width, dark, name="explanation").faults() == []


@VIEWS
def test_a_search(visit, tmp_path, width, dark):
    trials = [
        {
            "trial": n,
            "settings": {"layers": 1 + n % 2, "training.lr": 0.001},
            "state": "finished",
            "value": 0.1 + n / 99,
        }
        | {"epochs": 9, "seconds": 3.0, "error": None, "curve": [[1, 0.05], [9, 0.1 + n / 99]]}
        for n in range(5)
    ]
    results = {
        "command": "alignrec-geo tune data/shop --model lightgcn", "dataset": {"name": "shop"}, "model": "lightgcn",
        "features": [], "protocol": "clean", "metric": "recall@20", "planned": 5, "default": 0.1,
        "space": {"layers": [1, 2], "training.lr": [0.001]}, "best": trials[4], "importance": {"layers": 1.0},
        "trials": trials, "machine": {"cpu": "AMD EPYC"},
    }  # fmt: skip
    write_tuning_report(results, tmp_path / "search.html")
    assert visit(tmp_path / "search.html", width, dark, name="search").faults() == []


def test_a_run_on_paper(visit, run_report):
    page = visit(run_report, DESK, dark=True, name="print").page
    page.emulate_media(media="print")
    colours = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours == "rgb(255, 255, 255)"  # ink is not spent on a dark page
    assert not page.locator("nav").is_visible()
