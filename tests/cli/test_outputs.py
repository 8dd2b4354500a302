"""Outputs of commands: checked before the work, never in the place of an input or of something that is not ours."""

import json
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.locks import LOCK, sole
from tests.test_folders import names

SMALL = ("--encoder", "features", *("--set", "dim=8", "--set", "heads=2", "--set", "layers=1", "--set", "epochs=2"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "shop").path
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def run(shop, tmp_path_factory) -> Path:
    from alignrec_geo.models import Popularity
    from alignrec_geo.training import TrainingConfig, fit

    data, out = Dataset.open(shop), tmp_path_factory.mktemp("runs") / "run"
    fit(Popularity.from_dataset(data), data, TrainingConfig(tensorboard=False), out=out)
    return out


@pytest.fixture
def idle(monkeypatch):
    """No work can be done: what is refused is refused before it."""

    def work(*given, **options):
        raise AssertionError("the work began")

    for place in (
        "alignrec_geo.probing.probe.Probe",
        "alignrec_geo.evaluation.evaluator.Evaluator",
        "alignrec_geo.probing.mask_modality.mask_modality",
        "alignrec_geo.serving.cold.NeighbourMean",
        "alignrec_geo.comparison.engine.make_plan",
        "alignrec_geo.cli.pretrain_task.make_task",
        "alignrec_geo.dataset.catalogue.make_catalogue",
        "alignrec_geo.dataset.readers.table.read_table",
    ):
        monkeypatch.setattr(place, work)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["probe", "DATA", "--out"], []),
        (["probe", "DATA", "--figure"], []),
        (["evaluate", "RUN", "--per-user"], []),
        (["mask-modality", "DATA", "--out"], []),
        (["embed", "RUN", "--out"], []),
    ],
)
def test_files_that_cannot_be_written(verb, idle, shop, run, tmp_path, before, after):
    (tmp_path / "f.svg").mkdir()
    (tmp_path / "file").write_text("x")
    line = [{"DATA": shop, "RUN": run}.get(word, word) for word in before]
    verb(*line, tmp_path / "f.svg", *after).refused("is a folder; a file is to be written there")
    verb(*line, tmp_path / "file" / "x.svg", *after).refused("is a file; nothing can be written under it")
    if "--figure" not in before:
        own = run / "result.json" if "RUN" in before else shop / "dataset.json"
        kept = own.read_bytes()
        verb(*line, own, *after).refused("is what this command reads")
        assert own.read_bytes() == kept


def test_embed_does_not_replace_its_items(verb, idle, run, tmp_path):
    (tmp_path / "new.jsonl").write_text('{"id": "a"}\n')
    verb("embed", run, "--items", tmp_path / "new.jsonl", "--out", tmp_path / "new.jsonl").refused("reads")


@pytest.mark.parametrize("name", ["a b", "../../x", "", "none"])
def test_names_of_encoders(verb, idle, shop, name):
    before = sorted(shop.parent.rglob("*"))
    verb("pretrain", shop, *SMALL, "--name", name).refused("a feature name takes")
    assert sorted(shop.parent.rglob("*")) == before


def test_names_of_features(verb, shop, tmp_path):
    verb("features", "extract", shop, "--name", "../x").refused("a feature name takes")
    verb("features", "export", shop, "--features", "../x=image", "--out", tmp_path / "o").refused(
        "a feature name takes"
    )


@pytest.mark.parametrize("verbs", [["train"], ["compare"], ["features", "export"]])
def test_folders_that_cannot_be_made(verb, idle, shop, tmp_path, verbs):
    (tmp_path / "file").write_text("x")
    verb(*verbs, shop, "--out", tmp_path / "file").refused("is a file")
    verb(*verbs, shop, "--out", tmp_path / "file" / "x").refused("is a file; nothing can be written under it")
    (tmp_path / "project" / "dataset").mkdir(parents=True)
    (tmp_path / "project" / "thesis.tex").write_text("work")
    more = [] if verbs == ["compare"] else ["--overwrite"]
    verb(*verbs, shop, "--out", tmp_path / "project", *more).refused("project")
    assert names(tmp_path / "project") == ["dataset", "thesis.tex"]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_import_never_replaces_what_is_not_its_own(verb, idle, tmp_path, overwrite):
    project = tmp_path / "project"
    project.mkdir()
    (project / "clicks.csv").write_text("user,item\na,b\n")
    line = ["data", "import", "table", project / "clicks.csv", "--out"]
    verb(*line, project, *overwrite).refused("project")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("work")
    verb(*line, tmp_path / "other", *overwrite).refused("other")
    verb(*line, project / "clicks.csv" / "x", *overwrite).refused("nothing can be written under it")
    assert names(project) == ["clicks.csv"]
    assert names(tmp_path / "other") == ["thesis.tex"]


def test_import_does_not_replace_the_data_set_that_it_reads(verb, idle, shop):
    inputs = [shop / "interactions.parquet", "--items", shop / "items.parquet"]
    verb("data", "import", "table", *inputs, "--out", shop, "--overwrite").refused("which this command reads")
    Dataset.open(shop)


def test_split_in_the_current_folder_and_through_links(verb, shop, tmp_path, monkeypatch):
    Dataset.open(shop).save(tmp_path / "shop")
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    verb("data", "split", ".", "--rule", "random").refused("is or holds the current folder")
    assert verb("data", "split", ".", "--rule", "random", "--out", tmp_path / "other").code == 0
    monkeypatch.chdir(tmp_path)
    assert verb("data", "split", "link/", "--rule", "random", "--seed", 2).code == 0
    assert Dataset.open(tmp_path / "shop").split_config.seed == 2
    verb("data", "split", "shop", "--rule", "random", "--out", "other").refused("pass --overwrite")
    (tmp_path / "other" / "notes.txt").write_text("work")
    verb("data", "split", "shop", "--rule", "random", "--out", "other", "--overwrite").refused("notes.txt")
    assert names(tmp_path) == ["link", "other", "shop"]


def test_quickstart_replaces_its_own_folders_only(verb, idle, tmp_path):
    (tmp_path / "q" / "catalogue").mkdir(parents=True)
    (tmp_path / "q" / "catalogue" / "thesis.tex").write_text("work")
    verb("quickstart", "--out", tmp_path / "q").refused("replaces only a data set")
    assert names(tmp_path / "q" / "catalogue") == ["thesis.tex"]


def test_exports(verb, shop, tmp_path):
    line = ["features", "export", shop, "--out", tmp_path / "out"]
    assert verb(*line).code == 0
    assert verb(*line, "--overwrite").code == 0
    (tmp_path / "out" / "README.md").write_text("my words")
    verb(*line, "--overwrite").refused("'README.md', which was changed since")
    (tmp_path / "out" / "export.json").unlink()
    verb(*line, "--overwrite").refused("has no export.json")
    assert (tmp_path / "out" / "README.md").read_text() == "my words"


def test_one_pretraining_at_a_time_and_the_old_encoder_until_the_new_one_has_an_epoch(
    verb, shop, tmp_path, monkeypatch
):
    from alignrec_geo.content.matrices.task import FeaturesTask
    from alignrec_geo.content.pretraining import align
    from alignrec_geo.content.pretraining import loop as pretrain

    folder = Dataset.open(shop).save(tmp_path / "shop").path
    line = ["pretrain", folder, *SMALL, "--features", "image,text", "--name", "mine"]
    assert verb(*line).code == 0
    encoder = folder / "encoders" / "mine"
    old = {path.name: path.read_bytes() for path in encoder.iterdir()}
    with sole(encoder / LOCK, "taken"):
        for more in ([], ["--resume"], ["--overwrite"]):
            verb(*line, *more).refused("another process is making this encoder")
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "_train_epoch", lambda *given: 1 / 0)
        task = FeaturesTask(Dataset.open(folder), ["image", "text"])
        with pytest.raises(ZeroDivisionError):
            align.align(Dataset.open(folder), task, "features", "mine", overwrite=True)
    assert {path.name: path.read_bytes() for path in encoder.iterdir()} == old
    (encoder / "notes.txt").write_text("work")
    verb(*line, "--overwrite").refused("holds 'notes.txt'")
    (encoder / "notes.txt").unlink()
    assert verb(*line, "--overwrite", "--seed", 1).code == 0
    assert names(encoder) == ["config.json", "metrics.jsonl", "model.safetensors"]
    assert names(folder / "encoders") == ["mine"]


def test_per_user_is_written_through_a_link(verb, run, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "users.parquet")
    assert json.loads(verb("evaluate", run, "--per-user", tmp_path / "link", "--json").out)["users"] > 0
    assert (tmp_path / "link").is_symlink()
    assert pl.read_parquet(tmp_path / "users.parquet").height > 0
