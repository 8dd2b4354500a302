"""The parts of training on many ranks that one process can look at."""

import pytest
import torch
from torch import nn

from alignrec_geo.dataset import SplitConfig, make_catalogue
from alignrec_geo.distributed import all_columns, current, own_columns, scattered_sum, shared, summed
from alignrec_geo.distributed.group import Group, lost_ranks, using
from alignrec_geo.distributed.tables import (
    check_even,
    column_parameter,
    column_table,
    draw,
    lies_apart,
    own_part,
    whole_count,
    widths_apart,
)
from alignrec_geo.errors import InputError, RankLost
from alignrec_geo.models import AlignRec, LightGCN
from alignrec_geo.nn import init_linear, init_xavier
from alignrec_geo.nn.column_linear import ColumnLinear, column_linear
from alignrec_geo.training import TrainingConfig, fit
from alignrec_geo.training.apart import check_settings_apart


def of_all(size, make):
    """What every rank would make, side by side."""
    parts = []
    for rank in range(size):
        with using(Group(rank, size)):
            parts.append(make())
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("kind", ["xavier_uniform", "xavier_normal", "uniform"])
@pytest.mark.parametrize("rows", [1, 3, 50, 257])
def test_a_table_is_drawn_alike_however_many_ranks_keep_its_columns(kind, rows, monkeypatch):
    monkeypatch.setattr("alignrec_geo.distributed.tables.DRAWN", 64)

    def drawn():
        table = column_table(rows, 12)
        init_xavier(table, torch.Generator().manual_seed(5), kind)
        return table.detach()

    whole = drawn()
    for size in (2, 3, 4, 12):
        assert torch.equal(of_all(size, drawn), whole)


def test_what_is_drawn_next_is_alike_too():
    def after():
        generator = torch.Generator().manual_seed(5)
        for kind in ("xavier_uniform", "xavier_normal"):
            init_xavier(column_table(7, 6), generator, kind)
        return torch.rand(1, 1, generator=generator)

    assert torch.equal(of_all(3, after), after().expand(1, 3))


@pytest.mark.parametrize("size", [2, 5])
def test_a_layer_for_features_is_drawn_alike_where_columns_are_dealt_unevenly(size):
    def weight(bias=False):
        layer = column_linear(13, 4)
        init_linear(layer, torch.Generator().manual_seed(1))
        return layer.bias.detach()[:, None] if bias else layer.weight.detach()

    assert torch.equal(of_all(size, weight), weight())
    assert torch.equal(of_all(size, lambda: weight(True)), weight(True).expand(4, size))


def test_shares_cover_everything_once():
    for size in (1, 2, 3, 7):
        shares = Group(0, size).shares(10)
        assert [place for share in shares for place in range(share.first, share.last)] == list(range(10))
        assert max(share.size for share in shares) - min(share.size for share in shares) <= 1


def test_alone_everything_is_whole_already():
    x = torch.randn(3, 4, requires_grad=True)
    assert current() is None
    for operation in (all_columns, own_columns, summed, shared, scattered_sum, own_part):
        assert operation(x) is x
    assert type(column_linear(3, 2)) is nn.Linear
    assert not lies_apart(column_table(3, 4))
    assert column_parameter(x.detach(), trainable=False).shape == (3, 4)


def test_the_group_ends_with_the_block_also_after_an_error():
    with pytest.raises(ZeroDivisionError), using(Group(0, 2)):
        _ = 1 / (current() is None)
    assert current() is None


def test_a_model_knows_its_columns_after_it_was_moved():
    data = make_catalogue(n_users=20, n_items=30, image_size=8)
    with using(Group(1, 2)):
        model = LightGCN.from_dataset(data, config={"dim": 6})
        for moved in (model, model.to("meta"), model.double()):
            assert widths_apart(moved) == {"user_embedding": 6, "item_embedding": 6}
        assert model.user_embedding.shape[1] == 3
        assert whole_count(model.user_embedding) == 2 * model.user_embedding.numel()


def test_column_linear_has_the_columns_of_its_input():
    with using(Group(2, 3)):
        layer = column_linear(7, 2)
        assert isinstance(layer, ColumnLinear)
        assert layer.weight.shape == (2, 3)


def test_columns_are_dealt_evenly_or_not_at_all():
    check_even(64, 8)
    with pytest.raises(InputError, match=r"dim=64 columns .* to 6 ranks; ranks=… may be 1, 2, 4, 8"):
        check_even(64, 6)
    with using(Group(0, 3)), pytest.raises(InputError, match="hidden=4"):
        column_table(2, 4, "hidden")


def test_what_is_no_table_of_columns_is_drawn_as_it_is():
    table = torch.zeros(2, 3)
    with using(Group(0, 3)):
        draw(table, lambda block: block.fill_(1.0))
    assert table.sum() == 6.0


def test_a_model_that_was_made_outside_of_the_block_is_refused():
    data = make_catalogue(n_users=20, n_items=30, image_size=8)
    model = LightGCN.from_dataset(data, config={"dim": 6})
    with using(Group(0, 2)), pytest.raises(InputError, match="make the model in the block of joined"):
        fit(model, config={"epochs": 1})


def test_users_who_are_held_out_are_refused():
    data = make_catalogue(n_users=60, n_items=40, image_size=8).with_split(SplitConfig(rule="cold-users"))
    with using(Group(0, 2)):
        model = LightGCN.from_dataset(data, config={"dim": 6})
        with pytest.raises(InputError, match="holds out whole users"):
            fit(model, config={"epochs": 1})


def test_items_that_are_held_out_are_refused_where_content_would_place_them():
    data = make_catalogue(n_users=60, n_items=40, image_size=8).with_split(SplitConfig(rule="cold-items"))
    with using(Group(0, 2)):
        model = AlignRec.from_dataset(data, config={"dim": 6, "train_features": False})
        with pytest.raises(InputError, match="holds out whole items"):
            fit(model, config={"epochs": 1})


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"device": "cuda:1"}, "every rank has its own"), ({"device": "cpu", "compile": True}, "training.compile")],
)
def test_settings_that_several_ranks_do_not_have(settings, words):
    with pytest.raises(InputError, match=words):
        check_settings_apart(LightGCN, LightGCN.settings(), TrainingConfig(**settings), ranks=2)


def test_initial_values_are_those_of_torch():
    for kind in ("xavier_uniform", "xavier_normal"):
        ours, theirs = torch.empty(33, 7), torch.empty(33, 7)
        init_xavier(ours, torch.Generator().manual_seed(3), kind)
        getattr(nn.init, f"{kind}_")(theirs, generator=torch.Generator().manual_seed(3))
        assert torch.equal(ours, theirs)


def test_only_a_process_of_a_group_can_lose_the_others():
    def fail(text):
        with lost_ranks("a step"):
            raise RuntimeError(text)

    for size, text, kind in (
        (None, "Connection closed by peer", RuntimeError),  # of a layer that asks a database, say
        (2, "Connection closed by peer", RankLost),
        (2, "[transport.cc:8] Gloo connectFullMesh failed", RankLost),
        (2, "mat1 and mat2 shapes cannot be multiplied", RuntimeError),
    ):
        with using(None if size is None else Group(0, size)), pytest.raises(RuntimeError) as raised:
            fail(text)
        assert type(raised.value) is kind, text
