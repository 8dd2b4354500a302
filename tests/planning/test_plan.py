"""Counted work and memory against known answers; measured runs are compared by ``python benchmarks plan``."""

from dataclasses import replace

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.planning import Plan, Problem, Rates, device_rates, plan
from alignrec_geo.planning.devices import device_names
from alignrec_geo.planning.memory import parts
from alignrec_geo.planning.sizes import problem_of, sizes_of
from alignrec_geo.planning.work import work

BILLION = Problem(users=10**8, items=10**7, edges=10**9, model="lightgcn", ranks=8, batch=10**6)
SLOW = Rates("a CPU", 16.0, 10.0, 5.0, 100.0, 20.0, 1e6, 0.0, 0.0, "made up")


def memory(problem: Problem, name: str) -> float:
    return next(part.bytes for part in parts(problem) if part.name == name)


def test_a_billion_edges_on_eight_ranks():
    made = work(BILLION)
    assert made.product_bytes == 2 * 2 * 2e9 * (8 + 4 * 64 / 8)  # 0.32 TB
    assert made.flops == 8e9 * 64 * 2
    planned = plan(BILLION, device_rates("h100"))
    assert 0.1 < planned.step_seconds < 0.2
    assert planned.problem.steps == 1000
    assert planned.fits


def test_what_ranks_send_does_not_depend_on_the_edges():
    # measured with this project's classes: 1.57, 2.36 and 2.75 MB
    small = Problem(users=1_000, items=1_000, edges=10_000, model="lightgcn")
    for ranks, megabytes in ((1, 0.0), (2, 1.57), (4, 2.36), (8, 2.75)):
        sent = {plan(replace(p, ranks=ranks), SLOW).sent_bytes for p in (small, replace(small, edges=1_000_000))}
        assert [value / 1e6 for value in sent] == [pytest.approx(megabytes, abs=0.005)]


def test_the_gate_of_content_is_sent_too():
    without = Problem(users=1_000, items=500, edges=10_000, ranks=2)
    more = plan(replace(without, width=128), SLOW).sent_bytes - plan(without, SLOW).sent_bytes
    assert more == 2 * (2 * 500 * 64 + 2 * 64**2 + 2048 * 128)


def test_tables_are_shared_and_the_graph_is_not():
    one, four = BILLION, replace(BILLION, ranks=4)
    one = replace(one, ranks=1)
    assert memory(one, "tables, gradients, moments") == 4 * memory(four, "tables, gradients, moments")
    assert memory(one, "graph") == memory(four, "graph")


def test_measured_steps_on_a_gpu():
    """`benchmarks/results/gpu.json`: LightGCN and AlignRec with frozen features on an H200."""
    for model, edges, users, items, seconds, gigabytes in (
        ("lightgcn", 9_990_959, 1_640_223, 594_681, 0.0081589, 5.4956),
        ("lightgcn", 99_962_173, 16_402_224, 5_946_808, 0.085017, 54.913),
        ("alignrec", 9_990_959, 1_640_223, 594_681, 0.010588, 6.3101),
        ("alignrec", 99_962_173, 16_402_224, 5_946_808, 0.11261, 62.428),
    ):
        planned = plan(Problem(users, items, edges, model, 64, train_features=False), device_rates("h200"))
        assert 1 / 1.5 < planned.step_seconds / seconds < 1.5
        counted = sum(p.bytes for p in planned.parts if p.on_device and p.name not in ("triplets", "context"))
        assert abs(counted + 16 * edges - gigabytes * 1e9) < 0.15 * gigabytes * 1e9  # the pairs were there


def test_time_is_the_sum_of_what_the_rates_say():
    planned = plan(Problem(users=100, items=100, edges=1_000, model="lightgcn", batch=500, validated=50), SLOW)
    done = planned.work
    assert planned.step_seconds == pytest.approx(done.product_bytes / 5e9 + done.stream_bytes / 10e9)
    assert planned.validation_seconds == pytest.approx(2 * 50 * 100 * 64 / 20e9)
    assert planned.epoch_seconds == pytest.approx(2 * planned.step_seconds + 1_000 / 1e6 + planned.validation_seconds)


def advice(problem: Problem, gigabytes: float, gpu: bool = True) -> str:
    name = "NVIDIA X" if gpu else "a CPU"
    planned = plan(problem, replace(SLOW, name=name, memory_gb=gigabytes))
    assert planned.fits == (planned.advice() == [])
    return " ".join(planned.advice())


def test_what_does_not_fit_and_what_to_do_then():
    one = replace(BILLION, ranks=1)
    assert "needs" in advice(one, 80.0)
    assert "fits on 8 ranks: ranks='8'" in advice(one, 80.0)
    assert "sampled subgraphs" in advice(one, 16.0)  # the graph alone takes more
    assert "more machines" in advice(one, 16.0, gpu=False)
    wide = Problem(users=10**6, items=10**6, edges=10**7, width=4096)
    assert "train_features=false" in advice(wide, 40.0)
    assert advice(BILLION, 80.0) == ""


def test_ranks_on_one_cpu_share_its_memory():
    small = Problem(users=10**6, items=10**6, edges=10**7, model="lightgcn")
    alone = plan(small, SLOW)
    assert alone.fits
    assert not plan(replace(small, ranks=8), SLOW).fits


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "freedom"}, "alignrec, bpr, lightgcn"),
        ({"ranks": 3}, "multiple of ranks"),
        ({"edges": 10**17}, "different pairs"),
        ({"users": 0}, "users must be at least 1"),
        ({"width": -1}, "width must be at least 0"),
    ],
)
def test_impossible_sizes(changed, words):
    with pytest.raises(InputError, match=words):
        replace(BILLION, **changed)


def test_every_device_says_where_its_rates_are_from():
    assert device_names() == ["h100", "h200", "here"]
    for name in ("h100", "h200"):
        assert len(device_rates(name).source) > 20
    assert "not measured" in device_rates("h100").source
    with pytest.raises(InputError, match="h100, h200, here"):
        device_rates("abacus")


def test_sizes_of_a_data_set(tmp_path):
    from alignrec_geo.dataset import make_catalogue

    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    data.save(tmp_path / "data")
    sizes = sizes_of(tmp_path / "data")
    width = sum(data.features(name).matrix.shape[1] for name in data.feature_names)
    assert (sizes["users"], sizes["items"]) == (60, 40)
    assert sizes["edges"] == data.counts()["train"]
    assert sizes["width"] == width > 0
    made = problem_of(sizes, "alignrec", 2, ["dim=32", "batch_size=100", "train_features=false", "k=5"])
    assert (made.dim, made.batch, made.train_features, made.neighbours, made.columns) == (32, 100, False, 5, 16)


def test_this_machine_is_measured(monkeypatch):
    from alignrec_geo.planning import calibrate

    for name, value in {"USERS": 400, "ITEMS": 300, "EDGES": 2_000, "NUMBERS": 1 << 16, "RANKED": 16}.items():
        monkeypatch.setattr(calibrate, name, value)
    rates = device_rates("here")
    for name in ("copy_gb_s", "product_gb_s", "gemm_gflop_s", "rank_gflop_s", "pairs_per_s", "memory_gb"):
        assert getattr(rates, name) > 0
    assert not rates.is_gpu
    assert isinstance(plan(BILLION, rates), Plan)


def test_bpr_propagates_nothing():
    """Only tables are moved: the edges make no difference."""
    few, many = (work(replace(BILLION, model="bpr", edges=edges)) for edges in (10**6, 10**9))
    assert few == many
