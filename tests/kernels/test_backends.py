import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.kernels import backends
from alignrec_geo.kernels.backends import NEEDS, TABLE, choose, implementation, use_backends


def test_every_operation_has_torch_and_a_reference_that_exist():
    for operation in TABLE:
        for backend in ("torch", "reference"):
            with use_backends(**{operation: backend}):
                assert callable(implementation(operation, torch.device("cpu")))
                assert choose(operation).reason == f"set by kernels.{operation}"


def test_defaults(monkeypatch):
    monkeypatch.delenv("ALIGNREC_BACKEND", raising=False)
    assert {choose(operation).runs for operation in TABLE} == {"torch"}
    monkeypatch.setattr(backends, "available", lambda name: name == "triton")
    assert choose("spmm", "cuda") == ("spmm", "triton", "the default on CUDA")
    monkeypatch.setattr(backends, "available", lambda name: name not in NEEDS)
    assert choose("spmm", "cuda").runs == "torch"


def test_environment(monkeypatch):
    monkeypatch.setenv("ALIGNREC_BACKEND", "reference")
    assert {choose(operation).runs for operation in TABLE} == {"reference"}
    monkeypatch.setenv("ALIGNREC_BACKEND", "spmm=reference, topk=torch")
    assert choose("spmm") == ("spmm", "reference", "set by $ALIGNREC_BACKEND")
    assert choose("infonce").runs == "torch"
    for text, message in (
        ("fast", "unknown backend"),
        ("mm=torch", "unknown operation"),
        ("spmm=fast", "spmm has no backend"),
    ):
        monkeypatch.setenv("ALIGNREC_BACKEND", text)
        with pytest.raises(InputError, match=message):
            choose("spmm")


def test_forcing_is_limited_to_the_block(monkeypatch):
    monkeypatch.delenv("ALIGNREC_BACKEND", raising=False)
    with use_backends(spmm="reference", topk="auto"):
        assert choose("spmm").runs == "reference"
        assert choose("topk").runs == "torch"
    assert choose("spmm").runs == "torch"


def test_what_cannot_be_forced(monkeypatch):
    monkeypatch.setattr(backends, "available", lambda name: name not in NEEDS)
    for choice, message in (
        ({"mm": "torch"}, r"unknown operation \(got 'mm'\); there are: spmm"),
        ({"spmm": "fast"}, "spmm has no backend 'fast'; there are: torch"),
        ({"spmm": "torch-sparse"}, "needs the package torch_sparse, which is not installed"),
    ):
        with pytest.raises(InputError, match=message), use_backends(**choice):
            pass
    assert choose("spmm").runs == "torch"
