"""A run folder has one writer, and is replaced only by a run that has something."""

import json
import os
import shutil
from pathlib import Path

import pytest

from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.locks import LOCK, sole
from alignrec_geo.models import BPRMF, Popularity
from alignrec_geo.observer import Observer
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.following_folder import FollowingFolder
from alignrec_geo.training.run_folder import RUN, RunFolder

SHORT = TrainingConfig(epochs=2, tensorboard=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "shop")


def train(data: Dataset, out: Path, seed: int = 0, **options):
    return fit(BPRMF.from_dataset(data, [], {"dim": 4}), data, SHORT, out=out, seed=seed, **options)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class During(Observer):
    """Does something when the first epoch has ended, or begins."""

    def __init__(self, started=lambda: None, ended=lambda: None) -> None:
        self.started, self.ended = started, ended

    def epoch_started(self, epoch, steps):
        if epoch == 0:
            self.started()

    def epoch_done(self, record):
        if record["epoch"] == 0:
            self.ended()


def test_an_overwritten_run_stays_until_the_new_one_has_an_epoch(data, tmp_path):
    out = tmp_path / "run"
    train(data, out)
    old = everything(out)
    seen = []
    train(
        data,
        out,
        seed=1,
        overwrite=True,
        observers=[During(lambda: seen.append(everything(out)), lambda: seen.append(everything(out)))],
    )
    first, second = seen
    assert {name: content for name, content in first.items() if name != LOCK} == old
    assert second["config.yaml"] != old["config.yaml"]
    assert "checkpoint/last.safetensors" in second
    assert RUN.problem(out) is None
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (out / LOCK).exists()


def test_a_run_that_fails_in_its_first_epoch_leaves_the_old_one(data, tmp_path):
    out = tmp_path / "run"
    train(data, out)
    old = everything(out)

    def fail():
        raise TrainingDiverged("nan")

    with pytest.raises(TrainingDiverged):
        train(data, out, seed=1, overwrite=True, observers=[During(fail)])
    assert everything(out) == old
    with pytest.raises(TrainingDiverged):
        train(data, tmp_path / "new", observers=[During(fail)])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_one_writer_at_a_time(data, tmp_path):
    out, said = tmp_path / "run", []

    def second(**options):
        with pytest.raises(InputError) as refused:
            train(data, out, **options)
        said.append(str(refused.value))

    train(data, out, observers=[During(second, lambda: [second(resume=True), second(overwrite=True), second()])])
    assert "another process is writing there now" in said[0]
    assert all("another process is training this run" in words for words in said[1:])
    assert len(said) == 4
    train(data, out, resume=True)


def test_a_run_of_which_nothing_is_trained_can_be_started_again(data, tmp_path):
    out = tmp_path / "run"
    train(data, out)
    for name in (
        "checkpoint",
        "metrics.jsonl",
        "result.json",
        "embeddings.safetensors",
        "folding.safetensors",
        "per_user.parquet",
    ):
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink()
    assert sorted(path.name for path in out.iterdir()) == ["config.yaml", "dataset"]
    train(data, out, seed=3)
    with pytest.raises(InputError, match="holds a run already; pass resume=True"):
        train(data, out)


def test_a_model_without_epochs_settles_too(data, tmp_path):
    fit(Popularity.from_dataset(data), data, SHORT, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_not_touched(data, tmp_path, overwrite):
    project, foreign = tmp_path / "project", tmp_path / "foreign"
    data.save(project / "dataset")
    (project / "thesis.tex").write_text("work")
    foreign.mkdir()
    (foreign / "config.yaml").write_text("model: mine\ndataset: x\n")
    for folder in (project, foreign):
        before = everything(folder)
        with pytest.raises(InputError, match="is a folder with other content"):
            train(data, folder, overwrite=overwrite)
        assert everything(folder) == before


def test_a_run_beside_which_the_user_keeps_something(data, tmp_path):
    train(data, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("work")
    with pytest.raises(InputError, match=r"holds 'notes\.txt', which is no part of a run"):
        train(data, tmp_path / "run", overwrite=True)
    train(data, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "notes.txt").exists()


def test_the_data_set_trained_on_is_not_replaced(data, tmp_path):
    train(data, tmp_path / "run")
    inner = Dataset.open(tmp_path / "run" / "dataset")
    with pytest.raises(InputError, match="which this command reads"):
        train(inner, tmp_path / "run", overwrite=True)
    assert Dataset.open(tmp_path / "run" / "dataset").name == data.name


def test_links_out_of_a_run_are_refused(data, tmp_path):
    out = tmp_path / "run"
    train(data, out)
    shutil.move(out / "checkpoint", tmp_path / "elsewhere")
    (out / "checkpoint").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of the folder"):
        train(data, out, resume=True)


def test_leftovers_in_a_run_are_swept_when_it_goes_on(data, tmp_path):
    out = tmp_path / "run"
    train(data, out)
    for name in (".result.json.aaaaaaaa.part", "checkpoint/.last.safetensors.aaaaaaaa.part"):
        (out / name).write_text("half")
    (out / ".dataset.aaaaaaaa.part").mkdir()
    train(data, out, resume=True)
    assert not [name for name in everything(out) if name.endswith(".part")]
    assert not (out / ".dataset.aaaaaaaa.part").exists()


def test_an_early_refusal_of_a_busy_run(data, tmp_path):
    train(data, tmp_path / "run")
    with sole(tmp_path / "run" / LOCK, "taken"), pytest.raises(InputError, match="another process is training"):
        RunFolder(tmp_path / "run").refuse_existing(resume=True)


def test_a_saved_model_replaces_a_saved_model_only(data, tmp_path):
    model = BPRMF.from_dataset(data, [], {"dim": 4})
    model.save(tmp_path / "saved")
    model.save(tmp_path / "saved")
    train(data, tmp_path / "run")
    data.save(tmp_path / "project" / "dataset")
    for folder in ("run", "project"):
        before = everything(tmp_path / folder)
        with pytest.raises(InputError, match="replaces only a saved model"):
            model.save(tmp_path / folder)
        assert everything(tmp_path / folder) == before
    assert sorted(os.listdir(tmp_path)) == ["project", "run", "saved"]


def test_a_log_that_is_no_text_is_named_and_one_cut_off_is_not(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(b'{"epoch": 0}\n{"epoch": \xe2\x82')
    RunFolder(tmp_path).keep_epochs(1)
    assert log.read_bytes() == b'{"epoch": 0}\n'
    log.write_bytes(b'{"epoch": \xff}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl: not a readable log of epochs, or damaged"):
        RunFolder(tmp_path).keep_epochs(1)


def test_a_log_with_too_few_epochs_and_settings_that_are_none(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 0}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl: 1 epochs, the checkpoint has 2"):
        RunFolder(tmp_path).keep_epochs(2)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch": 0}\n'
    (tmp_path / "config.yaml").write_text("- a list\n")
    assert "config.yaml" in RUN.problem(tmp_path)


def test_a_rank_that_follows_writes_nothing(tmp_path):
    folder = FollowingFolder(tmp_path)
    with folder.writing(None, None):
        folder.settle(), folder.reopen(), folder.keep_epochs(3), folder.log({"epoch": 0})
        folder.write_folding(None), folder.write_result({}, None)
    assert folder.drop_state() == 0
    assert list(tmp_path.iterdir()) == []
