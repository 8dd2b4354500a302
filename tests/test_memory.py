"""Memory that runs out is one error that says what to lower."""

import pytest
import torch

from alignrec_geo.dataset import Split, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator, evaluator
from alignrec_geo.memory import enough_memory

CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 12.19 GiB is "
    "free. Process 3 has 66.9 GiB memory in use."
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError(CUDA),
            "encoding: the GPU's memory ran out (20.00 GiB more needed, 12.19 GiB of 79.11 GiB free on cuda:0); "
            "lower batch_size, or use device=cpu",
        ),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            "encoding: the GPU's memory ran out; lower batch_size, or use device=cpu",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "encoding: not enough memory; smaller batch_size need less",
        ),
        (MemoryError(), "encoding: not enough memory; smaller batch_size need less"),
        (OverflowError("integer multiplication overflow"), "encoding: not enough memory; smaller batch_size need less"),
    ],
)
def test_memory_that_runs_out(error, said):
    with pytest.raises(InputError) as caught, enough_memory("encoding", lower="batch_size"):
        raise error
    assert str(caught.value) == said


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), InputError("out of memory"), KeyError("x")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, enough_memory("encoding"):
        raise error
    assert caught.value is error


def test_ranking_that_does_not_fit_says_what_to_lower(monkeypatch):
    def full(*args):
        raise RuntimeError(CUDA)

    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    monkeypatch.setattr(evaluator, "blocked_top_k", full)
    with pytest.raises(InputError, match=r"ranking: the GPU's memory ran out \(20.00 GiB .*\); lower dim"):
        Evaluator(data.interactions, Split.TEST)(Embeddings(torch.ones(60, 2), torch.ones(40, 2)))
