import pytest
from harness import step_cost
from harness.measure import Rates
from harness.step_cost import Cost, Gemm, StepShape, alignrec_step, issue_limit, step_limit


class Fixed(Rates):
    """100 GFLOP/s and 10 GB/s."""

    def gemm(self, m: int, k: int, n: int) -> float:
        return 100e9

    @property
    def copy(self) -> float:
        return 10e9


BABY = StepShape(19_445, 7_050, 118_551, 70_500, 768)


def test_parameters_of_the_paper_sized_model():
    assert BABY.parameters == 7_163_456


def test_infonce_is_three_products_per_group():
    cost = step_cost.infonce(10, 4, groups=2)
    assert cost.flops == 2 * 3 * (2 * 10 * 10 * 4)
    assert cost.bytes == 2 * 4 * 10 * 4 * 4


def test_a_product_reads_the_matrix_and_the_dense_side_once():
    cost = step_cost.product("toy", nonzeros=5, rows=3, columns=2, dim=4, times=2)
    assert cost.flops == 0
    assert cost.bytes == 2 * (5 * 8 + 3 * 4 + (3 + 2) * 4 * 4)
    added = step_cost.product("toy", nonzeros=5, rows=3, columns=2, dim=4, times=1, added=True)
    assert added.bytes == 5 * 8 + 3 * 4 + (3 + 3 + 2) * 4 * 4


def test_the_gram_matrix_is_the_narrower_one_and_half_of_it():
    wide, narrow = step_cost.similarity_gap(8, 2, 20), step_cost.similarity_gap(8, 2, 4)
    cross, own = 2 * 2 * 8 * 2, 2 * 8 * 2 * 2 * 1.5
    assert wide.flops == 8 * 8 * 20 + cross * 20 + own
    assert narrow.flops == 4 * 4 * 8 + cross * 4 + own


def test_adam_moves_seven_numbers_per_parameter():
    assert step_cost.adam(10).bytes == 280


def test_the_limit_of_an_operation_is_the_larger_of_the_two():
    rates = Fixed()
    assert Cost("flops", (Gemm(100, 100, 100, 50),), 0).limit(rates) == pytest.approx(1e-3)
    assert Cost("bytes", (Gemm(1, 1, 1),), 1e7).limit(rates) == pytest.approx(1e-3)


def test_a_step_at_the_shape_of_baby():
    costs = alignrec_step(BABY)
    by_name = {cost.name: cost for cost in costs}
    assert by_name["projection"].flops == 3 * 2 * 7_050 * 768 * 64
    batch = 2_048
    infonce, gram = 2 * 3 * 2 * batch**2 * 64, 768**2 * batch
    cross, own = 2 * 2 * 768 * batch * 64, 3 * batch * 64**2
    assert by_name["infonce"].flops == infonce
    assert by_name["similarity_gap"].flops == gram + cross + own
    assert sum(cost.flops for cost in costs) == by_name["projection"].flops + infonce + gram + cross + own
    rates = Fixed()
    assert step_limit(costs, rates) == pytest.approx(sum(cost.limit(rates) for cost in costs))
    assert issue_limit(costs, rates) == pytest.approx(8e9 / 100e9 + 0.5e9 / 10e9)


def test_frozen_features_save_a_product_and_their_update():
    frozen = StepShape(19_445, 7_050, 118_551, 70_500, 768, trainable=False)
    trained, spared = ({cost.name: cost for cost in alignrec_step(shape)} for shape in (BABY, frozen))
    assert trained["projection"].flops - spared["projection"].flops == 2 * 7_050 * 768 * 64
    assert trained["adam"].bytes - spared["adam"].bytes == 7 * 4 * 7_050 * 768


def test_without_features_only_the_id_branch_counts():
    names = {cost.name for cost in alignrec_step(StepShape(10, 10, 30, trainable=False))}
    assert names == {"propagation", "gather", "triplet_loss", "adam"}
