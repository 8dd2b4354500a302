"""Files of a comparison that somebody else, or a fault, has changed: one error that names the file."""

import json
import shutil

import polars as pl
import pytest
import yaml

from alignrec_geo.comparison import engine
from alignrec_geo.errors import InputError
from tests.comparison.conftest import use_fake_worker

REQUEST = {"trials": 2, "seeds": 1, "settings": ["epochs=3"]}


@pytest.fixture(scope="module")
def whole(catalogue, tmp_path_factory):
    """A comparison with trials that has ended."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        use_fake_worker(patch)
        engine.compare(catalogue.path, out, ("bpr",), **REQUEST)
    return out


@pytest.fixture
def finished(whole, fake_compare, tmp_path):
    """A copy of it, and how to ask for it again."""
    return shutil.copytree(whole, tmp_path / "out"), lambda **more: fake_compare("bpr", **{**REQUEST, **more})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("seed-1*/result.json", "[]", "a JSON object is needed"),
        ("seed-1*/result.json", '{"metrics": {}}', "validation"),
        ("seed-1*/cost.json", '{"seconds": "x"}', "seconds: "),
        ("seed-1*/groups.json", '{"users": 1, "items": {}}', "users"),
        ("seed-1*/error.json", '{"error": 5}', "error: "),
        ("seed-1*/error.json", "{", "not valid JSON"),
        ("chosen.json", '{"trials": "two"}', "trial"),
        ("chosen.json", "[" * 5000, "json_depth"),
        ("trial-001/config.yaml", "seed: [", "not valid YAML"),
    ],
)
def test_a_damaged_file_is_named(finished, name, content, words):
    out, again = finished
    (path,) = (
        (out / "runs" / "bpr").glob(name)
        if "*" not in name or "error" not in name
        else [next((out / "runs" / "bpr").glob("seed-1*")) / "error.json"]
    )
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        again()
    assert str(path) in str(caught.value)


def test_a_damaged_table_of_users_is_named(finished):
    out, again = finished
    (path,) = (out / "runs" / "bpr").glob("seed-1*/per_user.parquet")
    for frame, words in (
        (pl.DataFrame({"user": ["a"], "recall@20": ["x"], "ndcg@20": [0.1]}), "column 'recall@20'"),
        (pl.DataFrame({"user": ["a"], "recall@20": [0.1]}), "no column 'ndcg@20'"),
        (pl.DataFrame({"user": ["a"], "recall@20": [None], "ndcg@20": [0.1]}).cast({"recall@20": pl.Float64}), "empty"),
    ):
        frame.write_parquet(path)
        with pytest.raises(InputError, match=words) as caught:
            again()
        assert str(path) in str(caught.value)
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match="parquet"):
        again()


def test_a_damaged_study_is_named(finished):
    out, again = finished
    (out / "study.sqlite").write_bytes(b"no data base" * 1000)
    (out / "runs" / "bpr" / "chosen.json").unlink()
    with pytest.raises(InputError, match=r"study\.sqlite: not a readable Optuna study"):
        again()


def test_a_choice_outside_the_search_space_is_refused(finished):
    """Whoever hands over a comparison cannot slip in settings, such as a class path, that nobody asked for."""
    out, again = finished
    chosen = out / "runs" / "bpr" / "chosen.json"
    stored = json.loads(chosen.read_text())
    chosen.write_text(json.dumps({**stored, "settings": {"training.device": "evil.Device"}}))
    with pytest.raises(InputError, match=r"a trial of 'bpr' is damaged: training\.device cannot be"):
        again(seeds=2)


def test_a_run_that_was_prepared_with_other_settings_is_not_trained(fake_compare, tmp_path):
    folder = tmp_path / "out" / "runs" / "alignrec" / "seed-1"
    fake_compare("alignrec", seeds=1)
    (folder / "cost.json").unlink()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["parameters"]["user_item_conv"] = "foreign.Conv"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match=r"config\.yaml: parameters is not what the comparison asks for"):
        fake_compare("alignrec", seeds=1)


def test_the_process_of_a_run_does_not_import_from_the_current_folder(tmp_path):
    """``python -m`` alone would put the current folder first, and run a ``random.py`` that stands there."""
    import subprocess

    from alignrec_geo.comparison import process

    (tmp_path / "yaml.py").write_text("open('ran', 'w')\n")
    done = subprocess.run(
        [*process.COMMAND, tmp_path / "absent"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": process.python_path(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert not (tmp_path / "ran").exists()
