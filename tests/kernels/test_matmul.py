import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.errors import InputError
from alignrec_geo.kernels import backends, fastest_matmul, matmul
from alignrec_geo.kernels.backends import TABLE, choose, implementation, use_backends
from alignrec_geo.kernels.fastest_matmul import fastest, has_onednn
from alignrec_geo.kernels.matmul import use_matmul
from alignrec_geo.kernels.topk import blocked_top_k

CPU = torch.device("cpu")
onednn = pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN, or is too old")


def matrices(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@onednn
@pytest.mark.parametrize("backend", TABLE["matmul"])
@pytest.mark.parametrize("size", [(3, 4, 5), (130, 70, 90)])
def test_backends_agree_whatever_is_transposed(backend, size):
    rows, inner, columns = size
    for a in (*matrices((rows, inner)), matrices((inner, rows))[0].T):
        for b in (*matrices((inner, columns)), matrices((columns, inner))[0].T):
            with use_backends(matmul=backend):
                got = implementation("matmul", CPU)(a, b, torch.empty(rows, columns))
            torch.testing.assert_close(got, (a.double() @ b.double()).float(), rtol=1e-5, atol=1e-4)


@onednn
def test_products_and_their_gradients_run_as_chosen_until_the_block_ends(monkeypatch):
    calls = []
    taken = matmul.onednn_product
    monkeypatch.setattr(matmul, "onednn_product", lambda a, b: calls.append(tuple(a.shape)) or taken(a, b))
    a, b, bias = (part.requires_grad_() for part in matrices((300, 50), (50, 80), (80,)))

    def results():
        total = torch.full((300, 80), 2.0)
        total.addmm_(a.detach(), b.detach(), alpha=0.5)
        out = torch.mm(a.detach(), b.detach(), out=torch.empty(300, 80))
        loss = (a @ b).square().sum() + F.linear(a, b.T, bias).sum()
        return [loss.detach(), *torch.autograd.grad(loss, (a, b, bias)), total, out]

    before = results()
    assert not calls
    with use_backends(matmul="onednn"), use_matmul(CPU):
        within = results()
    assert len(calls) == 8  # two products and the four of their gradients; addmm_, out=
    for ours, theirs in zip(within, before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(results(), before, strict=True))
    assert len(calls) == 8


@onednn
def test_what_onednn_does_not_take_stays_as_it_was():
    small, other = matrices((3, 4), (4, 5))
    large = torch.ones(200, 100, dtype=torch.double)
    whole = torch.arange(40_000).view(200, 200)
    expected = [small @ other, large @ large.T, whole @ whole, torch.ones(3, 5).addmm(small, other, beta=0.5)]
    with use_backends(matmul="onednn"), use_matmul(CPU):
        got = [small @ other, large @ large.T, whole @ whole, torch.ones(3, 5).addmm(small, other, beta=0.5)]
        got.append(torch.zeros(3, 5).addmm_(small, other))
        got.append(torch.mm(small, other, out=torch.empty(3, 5)))
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            torch.ones(900, 400) @ torch.ones(300, 900)
    for ours, theirs in zip(got, [*expected, expected[0], expected[0]], strict=True):
        assert torch.equal(ours, theirs)


def test_nothing_is_replaced_by_default(monkeypatch):
    monkeypatch.setattr(torch.library, "Library", None)
    with use_matmul(CPU):
        pass
    with use_matmul(torch.device("cuda")):
        pass


@onednn
def test_ranking_with_it():
    users, items = matrices((200, 32), (700, 32))
    results = []
    for backend in ("torch", "onednn"):
        with use_backends(matmul=backend):
            ((_, value, column),) = blocked_top_k(users, items, torch.arange(200), 10)
            results.append((value, column))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert (results[0][1] == results[1][1]).float().mean() > 0.99


@pytest.fixture
def amd(monkeypatch, tmp_path):
    """A processor of another maker with AVX-512, and a cache of its own."""
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9xx4\nflags\t\t: avx512f\n")
    monkeypatch.setattr(fastest_matmul, "CPU_INFO", info)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(fastest_matmul, "has_onednn", lambda: True)
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path / "cache"))
    return info


def test_measured_once_and_kept(amd, monkeypatch, tmp_path):
    measured = iter((2.5, 1.05, 1.9))
    monkeypatch.setattr(fastest_matmul, "measure", lambda: next(measured))
    choice = ("onednn", "measured once: oneDNN at 2.50× MKL's speed")
    assert fastest.__wrapped__() == fastest.__wrapped__() == choice
    (file,) = (tmp_path / "cache" / "matmul").iterdir()
    file.write_text('{"onednn_over_mkl": "fast"}')  # damaged: measured again
    assert fastest.__wrapped__() == ("torch", "measured once: oneDNN at 1.05× MKL's speed")
    assert fastest.__wrapped__() == ("torch", "measured once: oneDNN at 1.05× MKL's speed")
    file.write_bytes(b"\x00")
    assert fastest.__wrapped__()[0] == "onednn"
    monkeypatch.setattr(backends, "fastest", lambda: choice)
    assert choose("matmul") == ("matmul", *choice)


def test_intel_narrow_and_unknown_processors_stay_with_torch(amd, monkeypatch):
    monkeypatch.setattr(fastest_matmul, "measure", lambda: pytest.fail("nothing is measured"))
    text = amd.read_text()
    amd.write_text(text.replace("AuthenticAMD", "GenuineIntel"))
    assert fastest.__wrapped__() == ("torch", "the default on CPU")
    amd.unlink()
    assert fastest.__wrapped__()[0] == "torch"
    amd.write_text(text)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert fastest.__wrapped__()[0] == "torch"


def test_a_cache_that_cannot_be_written_is_one_warning(amd, monkeypatch, tmp_path):
    monkeypatch.setattr(fastest_matmul, "measure", lambda: 1.5)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="measured in every process"):
        assert fastest.__wrapped__()[0] == "onednn"

    def homeless():
        raise RuntimeError("no home")

    monkeypatch.setattr(fastest_matmul, "cache_folder", homeless)
    assert fastest.__wrapped__()[0] == "onednn"


@onednn
def test_the_measurement_measures(monkeypatch):
    monkeypatch.setattr(fastest_matmul, "SHAPES", ((64, 64, 64), (32, 128, 64)))
    assert 0 < fastest_matmul.measure() < 1000


def test_a_torch_without_onednn(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    backends.available.cache_clear()
    try:
        with (
            pytest.raises(InputError, match=r"backend 'onednn' of matmul needs a torch 2\.9 or newer"),
            use_backends(matmul="onednn"),
        ):
            pass
    finally:
        backends.available.cache_clear()
