"""Training on many ranks: every rank holds the same columns of all tables, and batches are made whole by all-gathers.

A rank is one process of a ``torch.distributed`` group. Without a group every function of this package returns what it
was given, so models and layers do not know how many ranks there are.
"""

from alignrec_geo.distributed.columns import (
    all_columns,
    all_rows,
    own_columns,
    scattered_sum,
    shared,
    summed,
    table_norm,
)
from alignrec_geo.distributed.group import Group, current
from alignrec_geo.distributed.tables import column_parameter, column_table, own_part

__all__ = [
    "Group",
    "all_columns",
    "all_rows",
    "column_parameter",
    "column_table",
    "current",
    "own_columns",
    "own_part",
    "scattered_sum",
    "shared",
    "summed",
    "table_norm",
]
