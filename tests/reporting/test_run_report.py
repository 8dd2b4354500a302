import json
import re

import pytest
import yaml

from alignrec_geo.errors import InputError
from alignrec_geo.reporting import run_report
from alignrec_geo.reporting.run_report import write_run_report


@pytest.fixture
def run(tmp_path):
    config = {
        "dataset": "/data/<shop>",
        "model": "alignrec",
        "features": ["image"],
        "protocol": "clean",
        "seed": 7,
        "parameters": {"dim": 64},
        "training": {"metric": "recall@20", "lr": 0.001},
        "kernels": {},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    records = [
        {"epoch": n, "loss": {"bpr": 1.0 / (n + 1)}, "validation": {"recall@20": 0.1 * n}, "seconds": 1.0}
        for n in range(4)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    result = {
        "metrics": {"recall@10": 0.2, "recall@20": 0.31234},
        "validation": {"recall@10": 0.1, "recall@20": 0.3},
        "best_epoch": 3,
        "epochs": 4,
        "seconds": 12.3,
    }
    (tmp_path / "result.json").write_text(json.dumps(result))
    return tmp_path


def test_the_page_shows_results_curves_and_settings(run):
    write_run_report(run)
    text = (run / "report.html").read_text()
    assert "AlignRec on &lt;shop&gt;" in text
    assert "Recall@20 on test is 0.3123. Epoch 4 of 4, chosen by validation." in text
    assert '<dd class="value">0.3123</dd>' in text
    assert "parameters.dim" in text
    assert re.findall(r"<figcaption><h3>(.*?)</h3>", text) == ["Validation Recall@20 by epoch", "bpr"]
    assert "epoch 4: 0.3000" in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="http', text)


def test_without_epochs_there_are_no_curves(run):
    (run / "metrics.jsonl").unlink()
    write_run_report(run)
    assert "<svg" not in (run / "report.html").read_text()


def test_a_run_that_is_not_finished(run):
    (run / "result.json").unlink()
    with pytest.raises(InputError, match=r"result\.json: no such file"):
        write_run_report(run)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "x"}, r"config\.yaml: .*seed"),
        ({"training": {}}, r"config\.yaml: .*training\.metric"),
        ({"model": None}, r"config\.yaml: .*model"),
        ({"features": "image"}, r"config\.yaml: .*features"),
        ({"protocol": "mine"}, "protocol"),
    ],
)
def test_damaged_settings_are_named(run, change, said):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | change))
    with pytest.raises(InputError, match=said):
        write_run_report(run)


def test_a_fault_in_drawing_is_not_blamed_on_a_file(run, monkeypatch):
    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(run_report.run_charts, "losses", fail)
    with pytest.raises(ZeroDivisionError):
        write_run_report(run)
    assert not (run / "report.html").exists()
