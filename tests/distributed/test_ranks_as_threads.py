"""Ranks as threads of this process: what they put together and take apart is the whole; collectives are stood in for.

That torch's own collectives do the same between processes is what tests/distributed/test_two_ranks.py shows.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file

from alignrec_geo.distributed import all_columns, own_columns, scattered_sum, shared, summed
from alignrec_geo.distributed import group as module
from alignrec_geo.distributed.columns import table_norm
from alignrec_geo.distributed.files import read_own, write_tensors
from alignrec_geo.distributed.group import Group, RankLost, current, using
from alignrec_geo.distributed.tables import column_parameter, lies_apart, own_part
from alignrec_geo.distributed.whole import align_copies, gather_model
from alignrec_geo.nn.column_linear import column_linear

PATIENCE = 30.0


class Collectives:
    """What torch.distributed would do, between threads that all call the same operation."""

    def __init__(self, size):
        self.barrier, self.given = threading.Barrier(size, timeout=PATIENCE), [None] * size
        self.local = threading.local()

    def __call__(self, operation, *args, **options):
        getattr(self, {"barrier": "wait"}.get(operation.__name__, operation.__name__))(*args, **options)

    def everybody(self, *given):
        """What each rank gives, copied before anybody goes on."""
        self.given[self.local.rank] = [tensor.clone() for tensor in given]
        self.barrier.wait()
        found = list(self.given)
        self.barrier.wait()
        return found

    def all_gather(self, pieces, own):
        for piece, (given,) in zip(pieces, self.everybody(own), strict=True):
            piece.copy_(given)

    def all_reduce(self, total):
        total.copy_(sum(given for (given,) in self.everybody(total)))

    def reduce_scatter(self, own, parts):
        own.copy_(sum(given[self.local.rank] for given in self.everybody(*parts)))

    def broadcast(self, tensor, src):
        tensor.copy_(self.everybody(tensor)[src][0])

    def gather(self, own, pieces, dst):
        found = self.everybody(own)
        assert (pieces is not None) == (self.local.rank == dst)
        for piece, (given,) in zip(pieces or [], found, strict=pieces is not None):
            piece.copy_(given)

    def all_to_all_single(self, arrived, sent, sizes, sent_sizes):
        parts = [given[self.local.rank] for given in self.everybody(*sent.split(sent_sizes))]
        assert [len(part) for part in parts] == sizes
        arrived.copy_(torch.cat(parts))

    def wait(self):
        self.everybody()


class Groups(threading.local):
    """The groups of a thread, as the module keeps those of the process."""

    def __init__(self):
        self.all = [None]

    def __getitem__(self, place):
        return self.all[place]

    def append(self, group):
        self.all.append(group)

    def pop(self):
        return self.all.pop()


@pytest.fixture(params=[1, 2, 3])
def ranks(request, monkeypatch):
    """Run a function of the group on so many ranks; gives what each returned."""
    collectives = Collectives(request.param)
    monkeypatch.setattr(module, "_send", collectives)
    monkeypatch.setattr(module, "_current", Groups())

    def on_all(function):
        def one(rank):
            collectives.local.rank = rank
            group = Group(rank, request.param)
            try:
                with using(group):
                    return function(group)
            except BaseException:
                collectives.barrier.abort()
                raise

        with ThreadPoolExecutor(request.param) as pool:
            return [done.result(PATIENCE) for done in [pool.submit(one, rank) for rank in range(request.param)]]

    return on_all


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_columns_and_rows_are_put_together(ranks):
    whole = drawn(5, 7)

    def check(group):
        own = whole[:, group.share(7).slice]
        assert torch.equal(group.all_columns(own, 7), whole)
        assert torch.equal(group.all_rows(whole[group.share(5).slice], 5), whole)
        assert torch.equal(group.rows_of(own, 7), whole[group.share(5).slice])
        assert torch.equal(group.columns_of(whole[group.share(5).slice], 5), own)
        first = group.to_first(own, 7)
        assert (first is not None) == group.is_first
        assert first is None or torch.equal(first, whole)
        return own.shape[1]

    assert sum(ranks(check)) == 7


def test_sums_agreement_and_who_begins(ranks):
    order = []

    def check(group):
        part = drawn(4, 6, seed=group.rank)
        total = sum(drawn(4, 6, seed=rank) for rank in range(group.size))
        torch.testing.assert_close(group.sum(part), total)
        torch.testing.assert_close(group.scattered_sum(part), total[:, group.share(6).slice])
        cpu = torch.device("cpu")
        assert group.all_agree(True, cpu)
        assert group.all_agree(group.is_first, cpu) == (group.size == 1)
        with group.first_before_others():
            order.append(group.rank)
        copy = torch.full((2,), float(group.rank))
        group.from_first(copy)
        assert copy.tolist() == [0.0, 0.0]
        return current() is group

    assert all(ranks(check))
    assert order[0] == 0
    assert current() is None


def test_gradients_are_those_of_the_whole(ranks):
    """A map whose columns lie apart, and losses that every rank computes alike."""
    x, weight, bias = drawn(5, 6), drawn(4, 6, seed=1), drawn(4, seed=2)
    leaf = x.clone().requires_grad_()
    loss = (leaf @ weight.T + bias).tanh().square().sum() + leaf.norm()
    loss.backward()

    def check(group):
        part = group.share(6).slice
        own = x[:, part].clone().requires_grad_()
        mapped = summed(own @ weight[:, part].T) + bias
        ours = shared(mapped).tanh().square().sum() / group.size  # each rank counts its share of the loss
        whole = all_columns(own, 6)
        assert torch.equal(whole, x)
        value = summed(ours.detach()) + table_norm(own).detach()
        torch.testing.assert_close(value, loss.detach())
        (shared(mapped).tanh().square().sum() / group.size + table_norm(own)).backward()
        torch.testing.assert_close(own.grad, leaf.grad[:, part])
        again = whole.detach().clone().requires_grad_()
        torch.testing.assert_close(own_columns(again).detach(), x[:, part])
        own_columns(again).square().sum().backward()
        torch.testing.assert_close(again.grad, 2 * x)
        spread = x.clone().requires_grad_()
        scattered_sum(spread).sum().backward()
        torch.testing.assert_close(spread.grad, torch.ones_like(x))

    ranks(check)


def test_files_hold_the_whole_however_many_wrote_them(ranks, tmp_path):
    tensors = {"table": drawn(9, 6).float(), "scale": drawn(3), "none": torch.empty(0, 6)}
    save_file(tensors, tmp_path / "alone", {"made": "here"})

    def check(group):
        apart = {name: own_part(part) if part.dim() == 2 else part for name, part in tensors.items()}
        widths = {"table": 6, "none": 6}
        write_tensors(tmp_path / "ranks", apart, widths, {"made": "here"})
        group.wait()
        found, header = read_own(tmp_path / "ranks", widths)
        assert header == {"made": "here"}
        assert all(torch.equal(found[name], apart[name]) for name in tensors)

    ranks(check)
    assert all(torch.equal(part, tensors[name]) for name, part in load_file(tmp_path / "ranks").items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "ranks"]


def test_models_become_whole_on_the_first_rank(ranks):
    whole, copy = drawn(4, 6).float(), drawn(3, 3, seed=1).float()

    def check(group):
        model = torch.nn.Module()
        model.table = column_parameter(whole, True)
        model.copied = torch.nn.Parameter(copy + group.rank)  # as other sums of a GPU would leave it
        align_copies(group, model)
        assert torch.equal(model.copied.detach(), copy)
        assert lies_apart(model.table)
        assert gather_model(group, model) == group.is_first
        if group.is_first:
            assert torch.equal(model.table.detach(), whole)
            assert not lies_apart(model.table)
        else:
            assert model.table.shape[1] < 6

    ranks(check)


def test_maps_of_columns_that_lie_apart(ranks):
    x = drawn(5, 6).float()
    with using(None):
        alone = column_linear(6, 4)
        weight, bias = drawn(4, 6, seed=1).float(), drawn(4, seed=2).float()
        alone.weight.data, alone.bias.data = weight, bias
        wanted = alone(x)

    def check(group):
        layer = column_linear(6, 4)
        part = group.share(6).slice
        layer.weight.data, layer.bias.data = weight[:, part].clone(), bias.clone()
        torch.testing.assert_close(layer(x[:, part]), wanted, atol=1e-5, rtol=1e-5)

    ranks(check)


def test_a_rank_that_is_lost_is_one_line(monkeypatch):
    def lost(*given):
        raise RuntimeError("[/a/gloo.cc:81] Connection closed by peer [1.2.3.4]:5. This may indicate")

    with pytest.raises(RankLost, match=r"^lost: Connection closed by peer"):
        module._send(lost)
