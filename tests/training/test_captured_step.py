"""The step as one CUDA graph; all of it needs a GPU."""

import warnings

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import TrainingDiverged
from alignrec_geo.models import MODELS, AlignRec, Batch
from alignrec_geo.observer import Observer
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.captured_step import CapturedStep, make_step
from alignrec_geo.training.optimizer import make_optimizer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16, seed=2)


def batches():
    generator = torch.Generator().manual_seed(0)
    for size in (32, 32, 32, 17, 32):
        columns = (torch.randint(n, (size,), generator=generator).cuda() for n in (60, 40, 40))
        yield Batch(*columns, 32)


def trained(model, capture, epochs=2):
    model.cuda().train()
    step = make_step(model, make_optimizer(model, TrainingConfig()), capture=capture)
    assert isinstance(step, CapturedStep) == (capture is not False)
    for epoch in range(epochs):
        model.start_epoch(epoch, torch.Generator().manual_seed(epoch))
        step.start(epoch)
        torch.cuda.manual_seed(epoch)
        for one in batches():
            step.run(one)
    return step


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("popularity", "random", "content-knn")])
def test_a_graph_does_what_the_operations_do(name, data):
    runs = [MODELS[name].from_dataset(data, seed=1) for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none may fall back
        steps = [trained(model, capture) for model, capture in zip(runs, (False, None, None), strict=True)]
    assert steps[0].means() == steps[1].means() == steps[2].means()
    for (where, value), one, two in zip(
        runs[0].state_dict().items(), runs[1].state_dict().values(), runs[2].state_dict().values(), strict=True
    ):
        assert torch.equal(value, one), where
        assert torch.equal(value, two), where


def test_what_reads_back_is_stepped_operation_by_operation(data):
    def reads(views, batch):
        return views.fused.user.sum() * 0.0 * views.fused.user.detach().sum().item()

    model = AlignRec.from_dataset(data)
    model.losses = [*model.losses, reads]
    with pytest.warns(UserWarning, match="cannot run as one CUDA graph"):
        step = trained(model, None)
    assert step.means()


def test_divergence_names_the_term_and_keeps_the_parameters(data):
    model = AlignRec.from_dataset(data)
    step = trained(model, None, epochs=1)
    with torch.no_grad():
        model.user_embedding.fill_(float("nan"))
    kept = model.item_embedding.detach().clone()
    for one in batches():
        step.run(one)
    with pytest.raises(TrainingDiverged, match="loss term 'bpr' became nan"):
        step.means()
    assert torch.equal(kept, model.item_embedding.detach())


def test_a_run_resumes_bit_for_bit(data, tmp_path):
    class Stop(Observer):
        def epoch_started(self, epoch, steps):
            if epoch == 2:
                raise KeyboardInterrupt

    def run(out=None, **options):
        settings = {"epochs": 4, "device": "cuda", "batch_size": 64, "patience": 10}
        return fit(MODELS["bm3"].from_dataset(data, seed=1), data, settings, seed=3, out=out, **options)

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", observers=Stop())
    rest = run(tmp_path / "run", resume=True)
    assert torch.equal(whole.embeddings.users, rest.embeddings.users)
