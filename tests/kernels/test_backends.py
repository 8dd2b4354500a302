import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.kernels import backends
from alignrec_geo.kernels.backends import NEEDS, ON_CPU, TABLE, check_backends, choose, implementation, use_backends
from alignrec_geo.kernels.config import KernelConfig


def test_every_operation_has_torch_and_a_reference_that_exist():
    for operation in TABLE:
        for backend in ("torch", "reference"):
            with use_backends(**{operation: backend}):
                assert callable(implementation(operation, torch.device("cpu")))
                assert choose(operation).reason == f"set by kernels.{operation}"


def test_defaults(monkeypatch):
    monkeypatch.delenv("ALIGNREC_BACKEND", raising=False)
    assert {choose(operation).runs for operation in TABLE if operation not in (*ON_CPU, "matmul")} == {"torch"}
    assert choose("topk") == ("topk", "numpy", "the default on CPU")
    assert choose("matmul", "cuda") == ("matmul", "torch", "the default on CUDA")
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


def test_triton_needs_cuda_or_the_interpreter(monkeypatch):
    monkeypatch.setattr(backends, "available", lambda name: True)
    monkeypatch.setenv("ALIGNREC_BACKEND", "triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(InputError, match=r"runs on CUDA tensors \(got cpu\)"):
        check_backends(torch.device("cpu"))
    check_backends(torch.device("cuda"))
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    check_backends(torch.device("cpu"))


def test_numpy_is_for_the_cpu():
    with use_backends(topk="numpy"):
        check_backends(torch.device("cpu"))
        with pytest.raises(InputError, match=r"backend 'numpy' of topk runs on a CPU only \(got cuda\)"):
            check_backends(torch.device("cuda"))


def test_settings_name_backends():
    assert KernelConfig(topk="triton").topk == "triton"
    with pytest.raises(ValueError, match="allowed: auto, torch, numpy, triton, reference"):
        KernelConfig(topk="fast")


def test_old_versions_do_not_count(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: object())
    for found, usable in (("3.2.0", False), ("3.7.1", True), ("4.0", True)):
        monkeypatch.setattr(backends, "version", lambda name, found=found: found)
        assert backends.available.__wrapped__("triton") is usable
    assert backends.available.__wrapped__("torch-sparse") is True


def test_forcing_is_limited_to_the_block(monkeypatch):
    monkeypatch.delenv("ALIGNREC_BACKEND", raising=False)
    with use_backends(spmm="reference", topk="auto"):
        assert choose("spmm").runs == "reference"
        assert choose("topk").runs == "numpy"
    assert choose("spmm").runs == "torch"


def test_what_cannot_be_forced(monkeypatch):
    monkeypatch.setattr(backends, "available", lambda name: name not in NEEDS)
    for choice, message in (
        ({"mm": "torch"}, r"unknown operation \(got 'mm'\); there are: spmm"),
        ({"spmm": "fast"}, "spmm has no backend 'fast'; there are: torch"),
        ({"spmm": "torch-sparse"}, "needs the package torch_sparse, which is not installed"),
        ({"spmm": "triton"}, r"needs triton 3\.4 or newer, which is not installed"),
    ):
        with pytest.raises(InputError, match=message), use_backends(**choice):
            pass
    assert choose("spmm").runs == "torch"


def test_a_backend_whose_package_is_not_there_is_not_available(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    look = backends.available.__wrapped__  # past the cache
    assert look("torch")
    assert look("reference")
    assert not look("torch-sparse")
    assert not look("triton")
