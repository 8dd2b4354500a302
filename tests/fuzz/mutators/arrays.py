"""Changes of ``.npy``, safetensors and Parquet files that keep them readable as such."""

import io
import json
import struct
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.mutators.tree import mutate_json, mutate_value

SHAPES = (
    "()", "(0,)", "(3,)", "(-1, 4)", "(0, 4)", "(4, 0)", "(1, 1, 12)", "(10**9, 10**9)", "(2**62, 4)",
    "(1000000000000, 4)", "(True, 4)", "(1.5, 4)",
    "('a',)", "[6, 4]", "(6, 4,)", "None", "(4, 6)", "(2, 3, 4)", "(" + "1, " * 100 + ")", "(" * 300 + ")" * 300,
    "6, 4",
)  # fmt: skip
KINDS = (
    "'<f4'", "'>f4'", "'<f2'", "'<f8'", "'<i8'", "'<u8'", "'|b1'", "'|i1'", "'|O'", "'<U2'", "'|S4'", "'<c8'", "'|V4'",
    "'<M8[s]'", "'<m8[D]'", "'x'",
    "''", "None", "[('a', '<f4')]", "[('a', '<f2'), ('b', '<f2')]", "'<f16'", "'<g'", "3", "'<f4,<f4'",
    "('<f4', (2,))", "'O'", "'<U0'",
)  # fmt: skip
TYPES = (
    "F64",
    "F32",
    "F16",
    "BF16",
    "F8_E4M3",
    "F8_E5M2",
    "I64",
    "I32",
    "I16",
    "I8",
    "U64",
    "U32",
    "U8",
    "BOOL",
    "C64",
    "F4",
    "X",
    "",
    None,
    1,
)


def mutate_npy(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change the header (and pad it again), the version, or values."""
    length = struct.unpack("<H", content[8:10])[0]
    header, data, version = content[10 : 10 + length].decode("latin-1"), content[10 + length :], content[6:8]
    kind = rng.random()
    if kind < 0.3:
        header = header.split("'shape'")[0] + f"'shape': {rng.choice(SHAPES)}, }}"
    elif kind < 0.6:
        header = f"{{'descr': {rng.choice(KINDS)}," + header[header.index(" 'fortran_order'") :].strip()
    elif kind < 0.65:
        header = header.replace("False", rng.choice(("True", "1", "None", "'x'")))
    elif kind < 0.7:
        header = rng.choice(
            (
                "{}",
                "[]",
                "1",
                "{'descr': '<f4'}",
                "(" * 500,
                "{" * 300,
                "'" + "x" * 12000 + "'",
                "__import__('os')",
                "\x00",
                header * 2,
            )
        )
    elif kind < 0.75:
        version = bytes(rng.choice(((1, 0), (2, 0), (3, 0), (9, 9), (0, 0))))
    elif kind < 0.9:
        values = bytearray(data)
        special = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e-45, -0.0))
        place = rng.randrange(max(len(values) // 4, 1)) * 4
        values[place : place + 4] = np.float32(special).tobytes()
        data = bytes(values)
    else:
        data = rng.choice((data[: len(data) // 2], data + data, b"", data[:-1], data + b"\x00"))
    packed = header.strip().encode("latin-1") + b" " * rng.randrange(64) + b"\n"
    size = struct.pack("<H", len(packed) & 0xFFFF) if version[0] < 2 else struct.pack("<I", len(packed))
    return b"\x93NUMPY" + version + size + packed + data


def mutate_safetensors(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change the header: types, shapes, offsets, names, and JSON inside the metadata; or values."""
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    kind = rng.random()
    said = header.get("__metadata__", {})
    nested = [key for key, value in said.items() if value[:1] in ("{", "[")]
    if nested and kind < 0.35:
        key = rng.choice(nested)
        said[key] = mutate_json(said[key].encode(), b"", rng).decode("utf-8", errors="replace")
    elif kind < 0.5 and names:
        entry = header[rng.choice(names)]
        entry["dtype"] = rng.choice(TYPES)
        if rng.random() < 0.7:  # as many values of the other type
            size = {"F64": 8, "I64": 8, "U64": 8, "C64": 8, "F16": 2, "BF16": 2, "I16": 2}.get(entry["dtype"], 1)
            size = 4 if entry["dtype"] in ("F32", "I32", "U32") else size
            bytes_ = entry["data_offsets"][1] - entry["data_offsets"][0]
            width = entry["shape"][-1] if entry["shape"] else 1
            entry["shape"] = (
                [bytes_ // size // width, width] if width and bytes_ % (size * width) == 0 else [bytes_ // size]
            )
    elif kind < 0.6 and names:
        entry = header[rng.choice(names)]
        shape = entry["shape"]
        entry["shape"] = rng.choice(
            (shape[::-1], [1, *shape], [*shape, 1], [int(np.prod(shape))], [0], [], [-1], [2**40, 2**40], [1] * 80)
        )
    elif kind < 0.68 and names:
        name = rng.choice(names)
        header[
            rng.choice((f"{name}x", "", "x", "model.", "optimizer.x.y", "optimizer.99.step", "rng.x", "matrix", "\x00"))
        ] = header.pop(name)
    elif kind < 0.75 and names:
        header.pop(rng.choice(names))
        data = b""
        header = (
            {key: value for key, value in header.items() if key == "__metadata__"} if rng.random() < 0.5 else header
        )
    elif kind < 0.85:
        values = bytearray(data)
        place = rng.randrange(max(len(values) // 4, 1)) * 4
        values[place : place + 4] = rng.choice(
            (np.float32(np.nan).tobytes(), np.float32(np.inf).tobytes(), b"\xff" * 4, b"\x00" * 4, b"\x02" * 4)
        )
        data = bytes(values)
    else:
        header = mutate_value(header, rng)
    text = json.dumps(header, ensure_ascii=False).encode(errors="surrogatepass")
    text += b" " * (-len(text) % 8)
    size = (
        len(text) if rng.random() < 0.95 else rng.choice((0, 1, len(text) - 1, len(text) + 8, 2**31, 2**63, 2**64 - 1))
    )
    return struct.pack("<Q", size) + text + data


def _column(n: int, rng: Random) -> Any:
    """A column of any type."""
    few = rng.choice((1, 3, n or 1))
    made: list[tuple[list[Any], Any]] = [
        ([None] * n, pa.null()),
        ([None] * n, pa.string()),
        ([bool(i % 2) for i in range(n)], pa.bool_()),
        ([i % few for i in range(n)], pa.int8()),
        (list(range(n)), pa.uint64()),
        ([2**64 - 1 - i for i in range(n)], pa.uint64()),
        ([-i for i in range(n)], pa.int64()),
        ([2**31 + i for i in range(n)], pa.int64()),
        ([i if i else None for i in range(n)], pa.int32()),
        ([i + 0.5 for i in range(n)], pa.float64()),
        ([float("nan") if i == n // 2 else float(i) for i in range(n)], pa.float64()),
        ([float("inf") if i == n // 2 else float(i) for i in range(n)], pa.float32()),
        ([1e300] * n, pa.float64()),
        ([np.float16(i) for i in range(n)], pa.float16()),
        ([f"i{i % few}" for i in range(n)], pa.large_string()),
        (["" for _ in range(n)], pa.string()),
        (["a\x00\x1b[31m[red]" for _ in range(n)], pa.string()),
        ([b"\xff\xfe" for _ in range(n)], pa.binary()),
        ([b"ab" for _ in range(n)], pa.binary(2)),
        ([[float(i), 1.0] for i in range(n)], pa.list_(pa.float32())),
        ([[float(i), 1.0] for i in range(n)], pa.list_(pa.float64(), 2)),
        ([[1.0] * (i % 3) for i in range(n)], pa.list_(pa.float32())),
        ([[None, 1.0] for _ in range(n)], pa.list_(pa.float64())),
        ([None if i == 0 else [1.0] for i in range(n)], pa.list_(pa.float64())),
        ([["a"] for _ in range(n)], pa.list_(pa.string())),
        ([[[1.0]] for _ in range(n)], pa.list_(pa.list_(pa.float64()))),
        ([{"a": i, "b": "x"} for i in range(n)], pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ([[("a", 1)] for _ in range(n)], pa.map_(pa.string(), pa.int64())),
        ([datetime(2024, 1, 1) + timedelta(microseconds=i) for i in range(n)], pa.timestamp("us")),
        ([datetime(2024, 1, 1) for _ in range(n)], pa.timestamp("ns", "Europe/Berlin")),
        ([datetime(1677, 9, 22) for _ in range(n)], pa.timestamp("ns")),
        ([2**62 for _ in range(n)], pa.timestamp("us")),
        ([-(2**63) + 1 for _ in range(n)], pa.timestamp("s")),
        ([date(9999, 12, 31) for _ in range(n)], pa.date32()),
        ([time(12) for _ in range(n)], pa.time64("us")),
        ([timedelta(days=i) for i in range(n)], pa.duration("ms")),
        ([Decimal(i) / 10 for i in range(n)], pa.decimal128(20, 3)),
        ([Decimal(10) ** 60 for _ in range(n)], pa.decimal256(76, 3)),
    ]
    values, kind = rng.choice(made)
    array = pa.array(values, kind)
    return (
        array.dictionary_encode()
        if rng.random() < 0.1 and kind in (pa.string(), pa.int64(), pa.large_string())
        else array
    )


def mutate_parquet(content: bytes, other: bytes, rng: Random) -> bytes:
    """Write the table again with another column, type, name, nulls, row order, or other settings of the file."""
    table = pq.read_table(io.BytesIO(content))
    names, n = table.column_names, table.num_rows
    column = rng.randrange(len(names))
    kind = rng.random()
    if kind < 0.45:
        table = table.set_column(column, names[column], _column(n, rng))
    elif kind < 0.55:
        values = table.column(column).to_pylist()
        if values:
            number = rng.randrange(len(values))
            given = values[number]
            near = (
                (given + 1, -given - 1, given * 1000)
                if isinstance(given, int | float) and not isinstance(given, bool)
                else ("", "x", "a\x00b")
            )
            values[number] = rng.choice((None, values[0], *near))
        table = table.set_column(
            column,
            names[column],
            pa.array(values, from_pandas=False)
            if rng.random() < 0.3
            else pa.array(values, table.schema.field(column).type),
        )
    elif kind < 0.62:
        table = table.drop_columns([names[column]])
    elif kind < 0.7:
        renamed = [
            rng.choice(("", "x", names[0], name.upper(), name + "\x00", "[b]")) if number == column else name
            for number, name in enumerate(names)
        ]
        table = table.rename_columns(renamed)
    elif kind < 0.76:
        table = table.append_column(
            rng.choice(("x", "split", "timestamp", "rating", "id", "image", "time", "user")), _column(n, rng)
        )
    elif kind < 0.84:
        table = rng.choice(
            (table.slice(0, 0), table.slice(1), table.slice(0, max(n - 1, 0)), pa.concat_tables([table, table]))
        )
    elif kind < 0.9:
        table = table.take([rng.randrange(n) for _ in range(n)]) if n else table
    else:
        table = table.select([names[number] for number in rng.sample(range(len(names)), len(names))])
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression=rng.choice(("snappy", "zstd", "gzip", "none", "lz4", "brotli")),
        use_dictionary=rng.random() < 0.5,
        row_group_size=rng.choice((1, 2, 10**6)),
        version=rng.choice(("1.0", "2.4", "2.6")),
        data_page_version=rng.choice(("1.0", "2.0")),
    )
    return sink.getvalue()
