import os
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from alignrec_geo.dataset.readers.matrices import as_float32, read_ids, read_matrix
from alignrec_geo.errors import InputError
from tests.dataset.toys import write

VALUES = np.array([[1.0, -2.5], [0.0, 4.0], [3.0, 0.5]])


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_numpy_and_safetensors_become_float32(tmp_path: Path, kind: str) -> None:
    np.save(tmp_path / "m.npy", VALUES.astype(kind))
    save_file({"anything": VALUES.astype(kind)}, tmp_path / "m.safetensors")
    for name in ("m.npy", "m.safetensors"):
        matrix = read_matrix(tmp_path / name)
        assert matrix.values.dtype == np.float32
        assert matrix.ids is None
        np.testing.assert_array_equal(matrix.values, VALUES)


def test_tables_of_numbers_and_of_lists(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x0": VALUES[:, 0], "sku": ["a", "b", "c"], "x1": VALUES[:, 1]})
    frame.write_csv(tmp_path / "m.csv")
    frame.write_parquet(tmp_path / "m.parquet")
    lists = pl.DataFrame({"sku": ["a", "b", "c"], "vector": VALUES.tolist()})
    lists.write_parquet(tmp_path / "l.parquet")
    lists.write_ndjson(tmp_path / "l.jsonl")
    lists.with_columns(pl.col("vector").cast(pl.Array(pl.Float32, 2))).write_parquet(tmp_path / "a.parquet")
    for name in ("m.csv", "m.parquet", "l.parquet", "l.jsonl", "a.parquet"):
        matrix = read_matrix(tmp_path / name, ("id", "sku"))
        assert matrix.ids is not None
        assert matrix.ids.to_list() == ["a", "b", "c"]
        np.testing.assert_array_equal(matrix.values, VALUES)


def save(path: Path, array: object) -> Path:
    np.save(path, array)  # type: ignore[arg-type]
    return path


def test_arrays_that_are_no_feature_matrix_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    bad = VALUES.copy()
    bad[1, 0] = np.nan
    for array, message in (
        (bad, r"row 1 \(counted from 0\) holds NaN"),
        (VALUES * 1e300, r"row 0 \(counted from 0\) holds NaN, infinity or a number too large"),
        (np.array([["a", "b"]]), "holds text; a feature matrix holds numbers"),
        (VALUES.astype(complex), "holds complex128"),
        (VALUES[0], r"has shape \(2,\); a matrix \[items, width\] is needed"),
        (VALUES[:0], r"has shape \(0, 2\)"),
        (np.array([[{}]], dtype=object), "holds Python objects; only plain numbers are read"),
    ):
        with pytest.raises(InputError, match=message):
            read_matrix(save(path, array))


def test_nan_in_a_later_block_is_found() -> None:
    matrix = np.zeros((10_000, 2))
    matrix[9_999, 1] = np.inf
    with pytest.raises(InputError, match="m: row 9999 "):
        as_float32(matrix, "m")


def test_broken_and_pickled_files_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.npy", VALUES)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"not a readable \.npy file, or damaged"):
        read_matrix(path)
    path.write_bytes(pickle.dumps(VALUES))
    with pytest.raises(InputError, match=r"not a readable \.npy file: it does not start as one"):
        read_matrix(path)
    with path.open("wb") as stream:
        np.savez(stream, a=VALUES)
    with pytest.raises(InputError, match=r"m\.npy: is a zip file \(\.npz\?\), not an array"):
        read_matrix(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"not a readable \.npy file"):
        read_matrix(path)
    with pytest.raises(InputError, match="no such file"):
        read_matrix(tmp_path / "none.npy")
    tensors = tmp_path / "m.safetensors"
    save_file({"a": VALUES, "b": VALUES}, tensors)
    with pytest.raises(InputError, match="one called 'matrix', or only one, is needed"):
        read_matrix(tensors)
    tensors.write_bytes(tensors.read_bytes()[:-8])
    with pytest.raises(InputError, match="not a readable safetensors file, or damaged"):
        read_matrix(tensors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sku,x\na,1\nb,red\n", "line 3 holds 'red' in column 'x'; numbers are needed"),
        ("sku,x\na,1\nb,\n", "line 3 holds nothing in column 'x'"),
        ("sku\na\n", "has no column beside 'sku'"),
        ("item,x\na,1\n", "no column 'sku'; there are: 'item', 'x'"),
        ("sku,x\na,nan\n", r"row 0 \(counted from 0\) holds NaN"),
    ],
)
def test_tables_that_hold_no_matrix_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_matrix(write(tmp_path / "m.csv", content), ("sku",))


def test_lists_that_hold_no_matrix_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    for lists, message in (
        ([[1.0], [1.0, 2.0]], "row 2 has 2 values in 'vector', the first row 1; all must be equal"),
        ([[1.0], None], "row 2 has 0 values"),
        ([["a"], ["b"]], "column 'vector' holds text"),
    ):
        pl.DataFrame({"sku": ["a", "b"], "vector": lists}).write_parquet(path)
        with pytest.raises(InputError, match=message):
            read_matrix(path, ("sku",))


def test_row_ids(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path / "ids.txt", "b\na\n")).to_list() == ["b", "a"]
    assert read_ids(write(tmp_path / "ids.csv", "n,sku\n1,b\n2,a\n"), ("sku",)).to_list() == ["b", "a"]
    with pytest.raises(InputError, match="line 2 is empty; one item id per line"):
        read_ids(write(tmp_path / "ids.txt", "b\n\na\n"))
    (tmp_path / "ids.txt").write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_ids(tmp_path / "ids.txt")


def test_row_ids_as_other_programs_write_them(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbfb\r\n a \r\n")
    assert read_ids(tmp_path / "ids.txt").to_list() == ["b", "a"]
    (tmp_path / "ids.txt").write_bytes(b"101.0\n7.0\n")
    assert read_ids(tmp_path / "ids.txt").to_list() == ["101", "7"]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e5m2])
def test_floats_that_numpy_does_not_know_are_read_exactly(tmp_path: Path, kind: torch.dtype) -> None:
    save_torch({"v": torch.tensor([[1.5, -2.0]]).to(kind)}, tmp_path / "m.SAFETENSORS")
    assert read_matrix(tmp_path / "m.SAFETENSORS").values.tolist() == [[1.5, -2.0]]


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': ("),
        header("["),
        header("[1]"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000), }\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2.5, 3), }\n"),
        header("{'descr': '<f4', 'fortran_order': 3, 'shape': (2, 3), }\n"),
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }\n") + bytes(24),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }\n") + bytes(8),
        header("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1, 1), }\n") + bytes(8),
        b"\x93NUMPY\x09\x00" + bytes(99),
        b"\x93NUMPY",
    ],
)
def test_damaged_and_hostile_headers_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.npy: ") as refused:
        read_matrix(tmp_path / "m.npy")
    assert "\n" not in str(refused.value)


def test_columns_before_rows_are_read_too(tmp_path: Path) -> None:
    assert read_matrix(save(tmp_path / "m.npy", np.asfortranarray(VALUES))).values.tolist() == VALUES.tolist()


def test_pipes_and_other_arrays_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.npy")
    with pytest.raises(InputError, match="is a pipe, socket or device"):
        read_matrix(tmp_path / "m.npy")
    (tmp_path / "m.npz").touch()
    with pytest.raises(InputError, match=r"a feature matrix is a \.npy or \.safetensors file, .* \(got '\.npz'\)"):
        read_matrix(tmp_path / "m.npz")


@pytest.mark.filterwarnings("error")
def test_odd_values_are_refused_without_a_warning_beside_the_error(tmp_path: Path) -> None:
    lists = pl.DataFrame({"sku": ["a", "b"], "vector": [None, [1.0]]}, schema_overrides={"vector": pl.List(pl.Float64)})
    lists.write_parquet(tmp_path / "l.parquet")
    with pytest.raises(InputError, match=r"row 1 has 0 values in 'vector'|row 2 has 1 values in 'vector'"):
        read_matrix(tmp_path / "l.parquet", ("sku",))
    python2 = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1L, 2L), }".ljust(117) + b"\n"
    (tmp_path / "old.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + python2 + VALUES[0].tobytes())
    np.testing.assert_array_equal(read_matrix(tmp_path / "old.npy").values, VALUES[:1])
    signalling = np.frombuffer(
        np.uint64(0x7FF0000000000001).tobytes(), dtype=np.float64
    )  # a NaN that casts complain of
    with pytest.raises(InputError, match="holds NaN"):
        read_matrix(save(tmp_path / "m.npy", np.array([[1.0, signalling[0]]])))
