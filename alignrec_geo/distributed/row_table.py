"""A table of which every rank holds a block of rows, and looks up those of the others: TorchRec's row-wise sharding."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.distributed.group import Group, lost_ranks
from alignrec_geo.errors import InputError
from alignrec_geo.reading import first_line

NAME = "nodes"
"""The table's name within TorchRec; there is one, because fbgemm looks up several only with sums on a CPU."""
INSTALL = "pip install 'alignrec-geo[torchrec]' && pip install --no-deps torchrec==1.8.0 fbgemm-gpu-cpu==1.8.0"


def require_torchrec() -> None:
    """Refuse to go on where TorchRec is not installed, without importing it.

    Raises:
        InputError: says what to install.
    """
    missing = [name for name in ("torchrec", "fbgemm_gpu") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"sampled training on several ranks needs TorchRec, and {' and '.join(missing)} cannot be imported: "
            f"{INSTALL}"
        )


class RowTable:
    r"""A table ``[N, d]`` in blocks of :math:`\lceil N / P \rceil` rows, one on each rank; lookups have a gradient.

    Rows are asked for and sent by all-to-all, on gloo between CPUs. Every rank's gradient is sent back to where the row
    lies and added up there, in the order of the ranks and of what each has asked for.

    Args:
        rows: ``N``.
        columns: ``d``.
        group: the ranks.

    Raises:
        InputError: TorchRec is not installed, or cannot be loaded beside this torch.

    Attributes:
        weight: this rank's rows one after another, ``[n · d]``, to be trained.
    """

    def __init__(self, rows: int, columns: int, group: Group) -> None:
        require_torchrec()
        self.rows, self.columns, self.group = rows, columns, group
        with _quiet():
            self._sharded = _sharded(rows, columns, group)
            inner = _dense_lookup(self._sharded)
        inner.register_forward_pre_hook(_one_row_each, with_kwargs=True)
        self.weight: nn.Parameter = inner.weights

    @property
    def own(self) -> Tensor:
        """This rank's rows, ``[n, d]``, sharing memory with :attr:`weight`."""
        return self.weight.detach().view(-1, self.columns)

    def __call__(self, rows: Tensor) -> Tensor:
        """Look up rows; collective.

        Args:
            rows: ``[n]`` int64 of the whole table, any order, repeats allowed; another number on every rank.

        Returns:
            ``[n, d]``.

        Raises:
            RankLost: another rank has ended.
        """
        from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

        some = rows if len(rows) else rows.new_zeros(1)  # TorchRec takes no empty list, and all ranks must ask
        asked = KeyedJaggedTensor(keys=[NAME], values=some, lengths=torch.ones_like(some))
        with lost_ranks("lookup"):
            found: Tensor = self._sharded(asked)[NAME].values()
        return found[: len(rows)]

    def take(self, columns: Tensor, into: Tensor | None = None) -> None:
        """Fill this rank's rows from a table of which every rank has its columns, ``[N, d / P]``; collective.

        Args:
            columns: the table.
            into: what to fill in place of :attr:`weight`, of the same size.
        """
        block = -(-self.rows // self.group.size)
        own = self.group.rows_of(F.pad(columns, (0, 0, 0, block * self.group.size - self.rows)), self.columns)
        target = self.weight.detach() if into is None else into
        target.copy_(own.flatten()[: target.numel()])  # the last block is padded

    def by_columns(self, rows: Tensor | None = None) -> Tensor:
        """Return this rank's columns of the table, ``[N, d / P]``; collective.

        Args:
            rows: numbers of this rank's rows in place of :attr:`weight`, of the same size.
        """
        block = -(-self.rows // self.group.size)
        own = (self.weight.detach() if rows is None else rows).view(-1, self.columns)
        padded = F.pad(own, (0, 0, 0, block - len(own)))
        return self.group.columns_of(padded, block * self.group.size)[: self.rows]


def _sharded(rows: int, columns: int, group: Group) -> Any:
    try:
        from torchrec.distributed.comm_ops import set_gradient_division
        from torchrec.distributed.embedding import EmbeddingCollectionSharder
        from torchrec.distributed.sharding_plan import construct_module_sharding_plan, row_wise
        from torchrec.distributed.types import ShardingEnv
        from torchrec.modules.embedding_configs import EmbeddingConfig
        from torchrec.modules.embedding_modules import EmbeddingCollection
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise InputError(
            f"TorchRec cannot be loaded beside torch {torch.__version__} ({first_line(error)}); torchrec 1.8.0 and "
            f"fbgemm-gpu-cpu 1.8.0 fit torch 2.13: {INSTALL}"
        ) from error
    set_gradient_division(False)  # gradients of a batch's parts are added, not averaged
    config = EmbeddingConfig(name=NAME, num_embeddings=rows, embedding_dim=columns, feature_names=[NAME])
    tables, sharder = EmbeddingCollection(tables=[config], device=torch.device("meta")), EmbeddingCollectionSharder()
    plan = construct_module_sharding_plan(
        tables,
        per_param_sharding={NAME: row_wise(compute_kernel="dense")},
        sharder=sharder,
        local_size=group.size,
        world_size=group.size,
        device_type="cpu",
    )
    env = ShardingEnv.from_process_group(torch.distributed.group.WORLD)
    return sharder.shard(tables, plan, env, torch.device("cpu"))


def _dense_lookup(sharded: Any) -> Any:
    """The module of fbgemm that holds this rank's rows; TorchRec keeps it out of the tree of modules."""
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import DenseTableBatchedEmbeddingBagsCodegen

    lookups = [module for lookup in sharded._lookups for module in lookup.modules()]
    (found,) = (module for module in lookups if isinstance(module, DenseTableBatchedEmbeddingBagsCodegen))
    return found


def _one_row_each(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Let fbgemm return one row per number asked for: on a CPU it would sum within what others call bags, and make a
    row of zeros of every empty one."""
    return args, {**kwargs, "offsets": torch.arange(len(kwargs["indices"]) + 1)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what TorchRec and fbgemm say of the forms that are used here on purpose."""
    for name in ("torchrec.distributed.utils", "torch.fx._symbolic_trace"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    # of its backward, whose gradient is that of index_add (tests/distributed/test_sampled_ranks.py)
    warnings.filterwarnings("ignore", message="fbgemm::dense_embedding_codegen_lookup_function: an autograd kernel")
