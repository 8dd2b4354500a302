"""Tables that are trained by rows, and kept, ranked and saved by columns."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from alignrec_geo.checkpoint import MOMENTS
from alignrec_geo.distributed.group import Group
from alignrec_geo.distributed.row_table import RowTable
from alignrec_geo.models.lightgcn import LightGCN
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer


class RowTraining:
    """The tables of a model on several ranks while they are trained on sampled subgraphs.

    A rank trains ``N / P`` whole rows. Everything else that knows ranks works on columns, so after an epoch the model's
    columns are filled from the rows, by an all-to-all: the validation propagates over the whole graph, and files are
    those of any other run.

    Args:
        model: made in the group; its tables hold this rank's columns.
        config: learning rate and weight decay.
        group: the ranks.

    Attributes:
        table: users' rows, then items'.
        optimizer: of the rows.
        saved: an optimiser of the model's columns, with what a checkpoint keeps; empty in between.
    """

    def __init__(self, model: LightGCN, config: TrainingConfig, group: Group) -> None:
        self.model = model
        self.table = RowTable(model.n_users + model.n_items, model.config.dim, group)
        self.optimizer = torch.optim.Adam(
            [self.table.weight], lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        saved = make_optimizer(model, config)
        assert saved is not None
        self.saved = saved
        self.take()

    def take(self) -> None:
        """Begin with the model's tables, and with what :attr:`saved` knows of them."""
        tables = self._tables()
        self.table.take(torch.cat([table.detach() for table in tables]))
        states = [self.saved.state.get(table) for table in tables]
        if all(states):
            state = {name: torch.empty_like(self.table.weight) for name in MOMENTS}
            for name in MOMENTS:
                self.table.take(torch.cat([of_table[name] for of_table in states if of_table]), state[name])
            step = next(of_table["step"] for of_table in states if of_table)
            self.optimizer.state[self.table.weight] = {"step": step.clone(), **state}
        self.saved.state.clear()

    def give(self) -> None:
        """Fill the model's tables from the rows."""
        with torch.no_grad():
            for table, columns in zip(self._tables(), self._columns(None), strict=True):
                table.copy_(columns)

    @contextmanager
    def state_given(self) -> Iterator[None]:
        """Fill :attr:`saved` from the optimiser of the rows for the block."""
        state = self.optimizer.state[self.table.weight]
        for name in MOMENTS if state else ():
            for table, columns in zip(self._tables(), self._columns(state[name]), strict=True):
                self.saved.state[table] |= {"step": state["step"].clone(), name: columns.contiguous()}
        yield
        self.saved.state.clear()

    def _tables(self) -> tuple[Tensor, Tensor]:
        return self.model.user_embedding, self.model.item_embedding

    def _columns(self, rows: Tensor | None) -> list[Tensor]:
        both = self.table.by_columns(rows)
        return list(both.split([self.model.n_users, self.model.n_items]))
