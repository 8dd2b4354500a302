"""The tables of a run, as they are read back."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from alignrec_geo.errors import InputError
from alignrec_geo.serving.store import EMBEDDINGS, read_embeddings

USERS, ITEMS = torch.ones(3, 2), torch.ones(4, 2)


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (USERS.int(), ITEMS, "must hold two tables of numbers"),
        (USERS, ITEMS.bool(), "must hold two tables of numbers"),
        (USERS[0], ITEMS, "must hold two tables of numbers"),
        (USERS[None], ITEMS, "must hold two tables of numbers"),
        (USERS, torch.ones(4, 3), "users' vectors 2 numbers and items' 3"),
        (USERS, ITEMS * np.nan, "NaN or infinity"),
        (USERS / 0, ITEMS, "NaN or infinity"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, users, items, message):
    save_file({"users": users.contiguous(), "items": items}, tmp_path / EMBEDDINGS)
    with pytest.raises(InputError, match=message):
        read_embeddings(tmp_path)


def test_a_missing_table_is_named(tmp_path):
    save_file({"users": USERS}, tmp_path / EMBEDDINGS)
    with pytest.raises(InputError, match="no tensor 'items'"):
        read_embeddings(tmp_path)


def test_tables_of_half_precision_become_float32(tmp_path):
    save_file({"users": USERS.half(), "items": ITEMS.bfloat16()}, tmp_path / EMBEDDINGS)
    assert [table.dtype for table in read_embeddings(tmp_path)] == [torch.float32] * 2
