import pytest
from pages import markdown, results_page
from typer.testing import CliRunner

from alignrec_geo.errors import InputError
from alignrec_geo.files import write_json
from tests.benchmarks.test_report import MACHINE


def run(seed, recall, tail=0.01):
    groups = {
        "items": {"head": {"recall@20": 0.3}, "tail": {"recall@20": tail}},
        "users": {"1-2": {"recall@20": recall}},
    }
    return {
        "seed": seed,
        "metrics": dict.fromkeys(("recall@10", "recall@20", "ndcg@10", "ndcg@20"), recall),
        "groups": groups,
        "epochs": 40 + seed,
        "seconds_per_epoch": 1.5,
        "seconds_to_best": 61.0,
        "peak_memory_mb": 800.0,
        "parameters": 1234567,
        "error": None,
    }


def trial(number, recall, **settings):
    return {"number": number, "settings": settings, "validation": {"recall@20": recall}, "error": None}


def comparison(name="table", **rest):
    models = [
        {
            "name": "alignrec",
            "chosen": {"uia_weight": 0.1},
            "trials": [trial(0, 0.12, uia_weight=0.05), trial(1, 0.13, uia_weight=0.1)],
            "runs": [run(1, 0.11), run(2, 0.13)],
        },
        {"name": "bpr", "chosen": {}, "trials": [], "runs": [run(1, 0.05, tail=0.02), run(2, 0.04, tail=0.02)]},
        {"name": "popularity", "chosen": {}, "trials": [], "runs": [run(1, 0.06, tail=0.5), run(2, 0.06, tail=0.5)]},
    ]
    tested = {"metric": "recall@20", "difference": 0.075, "p_holm": 0.01}
    significance = [{"baseline": name, **tested} for name in ("bpr", "popularity")]
    return {
        "command": f"alignrec-geo compare --out {name}",
        "protocol": "mmrec",
        "trials": 2,
        "seeds": 2,
        "reference": "alignrec",
        "models": models,
        "significance": significance,
        "machine": MACHINE,
        **rest,
    }


@pytest.fixture
def results():
    return {"tiktok-table": comparison(), "tiktok-reference": comparison("reference", trials=0)}


def test_the_best_of_every_column_is_bold_and_non_learned_baselines_do_not_compete(results):
    lines = results_page.short_table(results["tiktok-table"]).splitlines()
    assert lines[2] == "| alignrec | **0.1200 ± 0.0141** | **0.1200 ± 0.0141** |  | 0.0100 | 1.50 | 61 |"
    assert lines[3] == "| bpr | 0.0450 ± 0.0071 | 0.0450 ± 0.0071 | +0.0750* | **0.0200** | 1.50 | 61 |"
    assert lines[4] == "| popularity | 0.0600 ± 0.0000 | 0.0600 ± 0.0000 | +0.0750* | 0.5000 |  |  |"


def test_models_with_fewer_seeds_say_how_many(results):
    uneven = comparison()
    del uneven["models"][1]["runs"][1]
    lines = results_page.short_table(uneven).splitlines()
    assert lines[0].startswith("| model | seeds | Recall@20 |")
    assert lines[2].startswith("| alignrec | 2 | **0.1200 ± 0.0141** |")
    assert lines[3] == "| bpr | 1 | 0.0500 | 0.0500 | +0.0750 | **0.0200** | 1.50 | 61 |"
    page = results_page.render({"tiktok-table": uneven}, "Notes.\n")
    assert "2 trials per model, 1 to 2 seeds." in page
    assert "| bpr | 1 | 0.0500 | 0.0500 |" in page
    assert "| seeds |" not in results_page.render(results, "Notes.\n")
    for model in uneven["models"]:
        del model["runs"][1:]
    single = uneven | {"seeds": 1, "trials": 1}
    assert "1 trial per model, 1 seed." in results_page.render({"tiktok-table": single}, "Notes.\n")


def test_costs_of_different_devices_are_not_shown(results):
    toys = comparison("toys", trials=0, note="Two machines.")
    for model, gpu in zip(toys["models"], ("NVIDIA H200", None, None), strict=True):
        for one in model["runs"]:
            one["gpu"] = gpu
    toys["machine"] = {**MACHINE, "gpu": "NVIDIA H200"}
    results[results_page.SECOND] = toys
    page = results_page.render(results, "Notes.\n")
    _, _, section = page.partition("## Amazon Toys")
    section, _, made_by = section.partition("<sub>")
    assert "NVIDIA H200 and Toy CPU, 2 threads" in made_by
    assert "| alignrec | **0.1200 ± 0.0141** | **0.1200 ± 0.0141** |  |\n" in section
    assert "s / epoch" not in section
    assert "per epoch" not in section
    assert "s / epoch" in page
    assert "AlignRec trains 1 min 1 s to its chosen epoch" in page


def test_the_page_shows_choices_groups_and_origin(results):
    results["tiktok-table"]["note"] = "not finished"
    page = results_page.render(results, "Some notes.\n")
    assert "2 trials per model, 2 seeds.\n\nAlignRec has the highest Recall@20, 0.1200 ± 0.0141" in page
    assert "\nNote: not finished.\n" in page
    assert "Some notes." in page
    assert "| alignrec | 2 | 0.1200 | 0.1300 | uia_weight 0.1 |" in page
    assert "| model | head | tail |" in page
    assert "| model | 1-2 |" in page
    assert "<sub>`alignrec-geo compare --out table` · Toy CPU, 2 threads" in page


def test_our_seeds_stand_beside_the_runs_of_the_reference(results):
    line = next(
        line for line in results_page.against_reference(results["tiktok-reference"]).splitlines() if "| bpr" in line
    )
    assert line == "| bpr | 0.0450 ± 0.0071 | 0.0450 ± 0.0071 | 41–42 | 0.0483 / 0.0214 | -0.5 | 1.50 / 0.44 |  |"
    results["tiktok-reference"]["note"] = "on a fast machine"
    assert "one core each. Note: on a fast machine.\n\n| model |" in results_page.render(results, "Notes.\n")


def test_a_comparison_that_changed_machines_names_all_of_them():
    moved = comparison(machines=[{**MACHINE, "cpu": cpu} for cpu in ("Old CPU", "Old CPU", "New CPU")])
    del moved["machine"]
    assert "`alignrec-geo compare --out table` · Old CPU and New CPU, 2 threads · " in results_page.made_by(moved)


def test_the_readme_keeps_what_is_around_the_table(results, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results_page.BEGIN}\nold\n{markdown.END}\nafter\n")
    (tmp_path / "notes.md").write_text("Notes.\n")
    write_json(tmp_path / "results" / "tiktok-table.json", results["tiktok-table"])
    second = comparison("runs/toys", trials=0, note="Two machines.")
    write_json(tmp_path / "results" / f"{results_page.SECOND}.json", second)
    app = results_page.typer.Typer()
    app.command()(results_page.main)
    options = {"results": "results", "docs": "", "readme": "README.md", "notes": "notes.md"}
    arguments = [word for name, file in options.items() for word in (f"--{name}", str(tmp_path / file))]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    text = readme.read_text()
    assert text.startswith(f"before\n{results_page.BEGIN}\n| model |")
    assert text.endswith(f"{markdown.END}\nafter\n")
    assert "old" not in text
    said = "Protocol `mmrec`, 0 trials per model, 2 seeds. Note: Two machines.\n\n"
    assert f"{said}```console\n$ alignrec-geo compare --out runs/toys\n```\n\n| model |" in text
    assert text.count("| model |") == 2
    assert (tmp_path / "results.md").read_text().startswith("# AlignRec compared with the baselines")


@pytest.mark.parametrize("text", ["nothing", results_page.BEGIN, markdown.END])
def test_a_readme_without_its_marks_is_refused(text):
    with pytest.raises(InputError, match=r"README\.md needs the marks"):
        markdown.between_marks(text, results_page.BEGIN, "new", "README.md")
