import json
import shutil

import pytest
import torch

from alignrec_geo.dataset import Split, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models import MODELS, AlignRec
from alignrec_geo.observer import Observer
from alignrec_geo.reporting.run_report import write_run_report
from alignrec_geo.reporting.run_words import how_chosen
from alignrec_geo.serving.store import read_embeddings
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.run_folder import RunFolder
from tests.golden_numbers import toy_graph
from tests.training.small_runs import Records, lines, model_for


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=120, n_items=60, image_size=16)


def test_training_learns_and_observers_see_every_step(data):
    watch = Records()
    fit(model_for(data), data, TrainingConfig(epochs=15, lr=0.01, batch_size=256), observers=[watch])
    assert [epoch for epoch, _ in watch.epochs] == list(range(15))
    assert watch.steps == sum(steps for _, steps in watch.epochs)
    assert watch.records[-1]["loss"]["bpr"] < 0.8 * watch.records[0]["loss"]["bpr"]
    assert watch.records[-1]["validation"]["recall@20"] > watch.records[0]["validation"]["recall@20"]


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(data):
    seen: list[dict[str, float]] = []

    class Steps(Records):
        def step_done(self, terms):
            super().step_done(terms)
            seen.append(dict(terms))

    watch = Steps()
    fit(model_for(data), data, TrainingConfig(epochs=1, batch_size=128), observers=[watch])
    assert len(seen) > 2
    assert set(watch.records[0]["loss"]) == set(seen[0])
    for name, value in watch.records[0]["loss"].items():
        assert value == pytest.approx(sum(terms[name] for terms in seen) / len(seen))


def test_the_best_epoch_is_chosen_kept_and_tested_once(data):
    watch = Records()
    model = model_for(data)
    result = fit(model, data, TrainingConfig(epochs=300, lr=0.05, patience=3), observers=[watch])
    values = [record["validation"]["recall@20"] for record in watch.records]
    best = values.index(max(values))
    assert result.best_epoch == best
    assert result.epochs == best + 1 + 4  # patience 3: stops at the fourth without improvement
    assert result.validation["recall@20"] == values[best]
    again = Evaluator(data.interactions, Split.TEST, Protocol.CLEAN)(model.embeddings())
    assert again.metrics == result.metrics
    assert torch.equal(result.test.users, again.users)


def test_the_best_epoch_so_far_is_on_disk_before_the_next_begins(data, tmp_path):
    class Stop(Observer):
        def epoch_started(self, epoch, steps):
            if epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            model_for(data), data, TrainingConfig(epochs=9, tensorboard=False), out=tmp_path / "run", observers=[Stop()]
        )
    model = model_for(data)
    result = fit(model, data, TrainingConfig(epochs=1))
    for name, tensor in RunFolder(tmp_path / "run").read_best().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    for kept, table in zip(read_embeddings(tmp_path / "run"), result.embeddings, strict=True):
        assert torch.equal(kept, table)


def test_the_time_of_all_sessions_adds_up(data, tmp_path):
    for epochs in (2, 5):
        config = TrainingConfig(epochs=epochs, tensorboard=False)
        result = fit(model_for(data), data, config, out=tmp_path / "run", resume=epochs == 5)
    taken = [record["seconds"] for record in lines(tmp_path / "run")]
    assert len(taken) == 5
    assert min(taken) > 0
    assert result.seconds >= sum(taken) - 1e-3


def test_what_is_no_number_never_gets_into_the_log(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.log({"loss": float("nan")})
    assert not (tmp_path / "metrics.jsonl").exists() or not (tmp_path / "metrics.jsonl").read_text()


def test_without_test_nothing_of_the_test_split_is_looked_at(data, tmp_path):
    train = TrainingConfig(epochs=2, tensorboard=False)
    result = fit(model_for(data), data, train, out=tmp_path / "run", test=False)
    assert (result.metrics, result.test) == ({}, None)
    assert result.validation == fit(model_for(data), data, train).validation
    assert json.loads((tmp_path / "run" / "result.json").read_text())["metrics"] == {}
    assert not (tmp_path / "run" / "per_user.parquet").exists()


def test_learning_rate_schedule_and_evaluation_interval(data):
    watch = Records()
    config = TrainingConfig(epochs=5, lr=0.01, lr_decay=0.5, lr_decay_epochs=2, eval_every=2)
    fit(model_for(data), data, config, observers=[watch])
    assert [record["lr"] for record in watch.records] == pytest.approx([0.01 * 0.5 ** (e / 2) for e in range(5)])
    assert ["validation" in record for record in watch.records] == [False, True, False, True, True]


def test_without_a_validation_split_the_last_epoch_counts(data):
    train_only = data.with_split(data.split_config)
    pairs = data.interactions
    train_only = type(data)(**{**vars(data), "interactions": pairs.of(Split.TRAIN)})
    result = fit(model_for(train_only), train_only, TrainingConfig(epochs=3))
    assert result.best_epoch == 2
    assert result.metrics == {}
    assert result.validation == {}


def test_run_folder(data, tmp_path):
    run = tmp_path / "run"
    result = fit(model_for(data), data, TrainingConfig(epochs=3), out=run, protocol="mmrec", seed=7)
    stored = json.loads((run / "result.json").read_text())
    assert stored["metrics"] == result.metrics
    assert stored["protocol"] == "mmrec"
    assert len(lines(run)) == 3
    for ours, kept in zip(result.embeddings, read_embeddings(run), strict=True):
        assert torch.equal(ours, kept)
    assert (run / "config.yaml").read_text().startswith("dataset:")
    assert (run / "per_user.parquet").exists()
    assert not list(run.rglob("*.part"))
    assert list((run / "tensorboard").iterdir())
    with pytest.raises(InputError, match="holds a run already"):
        fit(model_for(data), data, TrainingConfig(epochs=1), out=run)


def test_a_folder_of_something_else_is_not_touched(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    for path, message in ((tmp_path / "mine", "other content"), (tmp_path / "mine" / "thesis.tex", "is a file")):
        with pytest.raises(InputError, match=message):
            fit(model_for(data), data, TrainingConfig(epochs=1), out=path)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_impossible_devices_and_backends_leave_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no GPU"):
        fit(model_for(data), data, TrainingConfig(device="cuda"), out=tmp_path / "run")
    monkeypatch.setattr("alignrec_geo.kernels.backends.available", lambda name: name != "torch-sparse")
    for kernels, message in (
        (KernelConfig(spmm="torch-sparse"), "needs the package torch_sparse"),
        (KernelConfig(spmm="triton"), "runs on CUDA tensors"),
    ):
        with pytest.raises(InputError, match=message):
            fit(model_for(data), data, TrainingConfig(epochs=1), kernels=kernels, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_reference_kernels_train_to_the_same_metrics(data):
    config = TrainingConfig(epochs=4, batch_size=256)
    kinds = (KernelConfig(), KernelConfig(**dict.fromkeys(KernelConfig.model_fields, "reference")))
    fast, plain = (fit(model_for(data), data, config, kernels=kernels) for kernels in kinds)
    assert fast.validation == pytest.approx(plain.validation, abs=1e-6)
    for ours, theirs in zip(fast.embeddings, plain.embeddings, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_path_in_place_of_a_data_set(data):
    with pytest.raises(InputError, match=r"fit takes a Dataset; open it with Dataset\.open\(…\) \(got 'runs/data'\)"):
        fit(model_for(data), "runs/data")
    with pytest.raises(InputError, match=r"fit takes a Dataset \(got 3\)"):
        fit(model_for(data), 3)


def test_a_model_without_a_data_set():
    with pytest.raises(ValueError, match="fit needs a data set"):
        fit(AlignRec(toy_graph()))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_loss_trains_to_the_same_metrics():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    plain, compiled = (
        fit(AlignRec.from_dataset(data), config=TrainingConfig(epochs=3, compile=chosen)) for chosen in (False, True)
    )
    assert compiled.epochs == 3
    for name, value in plain.metrics.items():
        assert compiled.metrics[name] == pytest.approx(value, abs=1e-6), name


def new_users_held_out(data):
    """The same data under a split by users: those of validation and test have nothing in training."""
    pairs = data.interactions
    split = (pairs.user % 3).astype("int8")
    return type(data)(**{**vars(data), "interactions": pairs.with_split(split)})


def test_nobody_to_validate_on(whole_reports, data, tmp_path):
    by_users = new_users_held_out(data)
    with pytest.raises(InputError, match=r"validation split .* no user with a training interaction.*training\.epochs"):
        fit(model_for(by_users), out=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    watch = Records()
    settings = {"epochs": 5, "patience": 1, "tensorboard": False}
    result = fit(model_for(by_users), config=settings, out=tmp_path / "run", observers=[watch])
    assert (result.epochs, result.best_epoch, result.chosen_by) == (5, 4, "last epoch")
    assert (result.validation, result.metrics, len(watch.records)) == ({}, {}, 5)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (stored["chosen_by"], stored["users"]) == ("last epoch", {"validation": 0, "test": 0})
    assert how_chosen(stored) == "the last of 5 epochs; there was nobody to validate on"
    write_run_report(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "The last of 5 epochs; there was nobody to validate on" in page
    assert "chosen by validation" not in page


def test_what_chose_the_epoch_is_said(data, tmp_path):
    result = fit(model_for(data), config={"epochs": 2, "tensorboard": False}, out=tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result.chosen_by == stored["chosen_by"] == "validation"
    assert stored["users"]["test"] == len(result.test.users)
    assert how_chosen(stored) == f"epoch {result.best_epoch + 1} of 2, chosen by validation"
    assert how_chosen({"validation": {}, "best_epoch": 2, "epochs": 3}).startswith("the last of 3")  # earlier releases
    floor = fit(MODELS["popularity"].from_dataset(new_users_held_out(data)))
    assert floor.chosen_by == "nothing to train"
    assert how_chosen({"chosen_by": floor.chosen_by, "epochs": 0}) == "nothing to train"


def test_tables_that_are_not_finite_end_the_training(data):
    model = model_for(data)
    model.encode = lambda: Embeddings(model.user_embedding * torch.nan, model.item_embedding)
    with pytest.raises(TrainingDiverged, match="the tables hold NaN or infinity after epoch 0"):
        fit(model, config={"epochs": 1})
