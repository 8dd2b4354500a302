"""Tables of interactions and of items, MMRec and MovieLens folders."""

import gzip
import json
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.readers.mmrec import read_mmrec
from alignrec_geo.dataset.readers.movielens import read_movielens
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from tests.fuzz.inputs import Input, read_input
from tests.fuzz.target import Target, Wrong, only

TIMES = ("1714566600", "1714566600.25", "2024-05-01T12:30:00", "2024-05-01 12:30:00.123", "2024-05-01")
OTHERS = ("gz", "parquet", "jsonl")


def _rows(times: str) -> list[dict[str, str]]:
    rng = Random(1)
    rows = []
    for n in range(24):
        user, item = f"u{n % 6}", f"i{(n * 5 + n // 6) % 9}"
        rows.append(
            {
                "user": user,
                "item": item,
                "time": times,
                "rating": str(rng.randint(1, 5)),
                "split": str(min(n // 8, 2)),
                "note": "fine",
            }
        )
    return rows


def _text(rows: list[dict[str, str]], mark: str, header: bool = True) -> bytes:
    lines = [mark.join(row.values()) for row in rows]
    return "\n".join([mark.join(rows[0])] * header + lines + [""]).encode()


def table_seeds(suffix: str, mark: str) -> list[Input]:
    """The same pairs with each kind of time."""
    return [{f"pairs{suffix}": _text(_rows(times), mark)} for times in TIMES]


def quoted_seeds(_: Path) -> list[Input]:
    """CSV, with a quoted cell too."""
    quoted = b'user,item,time,rating,split,note\nu1,i1,5,3,0,"a ""b"", c"\nu1,i2,6,3,0,"two\nlines"\n'
    quoted += b"u2,i1,7,4,1,x\nu2,i3,9,4,2,x\n"
    return [*table_seeds(".csv", ","), {"pairs.csv": quoted}]


def typed_seeds(folder: Path) -> list[Input]:
    """Parquet with columns of every usual type."""
    rows = _rows("5")
    frame = pl.DataFrame(rows)
    numbers = frame.with_columns(
        pl.col("user").str.strip_chars("u").cast(pl.Int64),
        pl.col("rating").cast(pl.Float32),
        pl.col("split").cast(pl.Int8),
    )
    times = frame.with_columns(pl.Series("time", np.arange(frame.height) * 1000).cast(pl.Datetime("ms")))
    nested = frame.select(pl.struct("user", "note").alias("about"), "user", "item", "time", "rating", "split")
    seeds = []
    for number, made in enumerate((frame, numbers, times, nested)):
        made.write_parquet(folder / f"{number}.parquet")
        seeds.append({"pairs.parquet": (folder / f"{number}.parquet").read_bytes()})
    return seeds


def json_seeds(_: Path) -> list[Input]:
    """JSON lines, some values numbers and some nested."""
    rows = [
        {**row, "time": 1714566600 + n, "rating": n % 5 + 0.5, "about": {"plot": "x", "tags": ["a", "b"]}}
        for n, row in enumerate(_rows("5"))
    ]
    return [{"pairs.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}]


def gzip_seeds(_: Path) -> list[Input]:
    """Compressed text."""
    text, lines = _text(_rows("5"), ","), json_seeds(Path())[0]["pairs.jsonl"]
    assert isinstance(lines, bytes)
    return [
        {"pairs.csv.gz": gzip.compress(text, mtime=0)},
        {"pairs.jsonl.gz": gzip.compress(lines, mtime=0)},
        {"pairs.tsv.gz": gzip.compress(_text(_rows("5"), "\t"), mtime=0)},
    ]


def read_pairs(folder: Path, out: Path, rng: Random) -> None:
    """``data import table`` with some of its options."""
    file = only(folder)
    split, timed = rng.random() < 0.3, rng.random() < 0.6
    config = TableConfig(
        interactions=file,
        timestamp="time" if timed else None,
        rating="rating" if rng.random() < 0.5 else None,
        split="split" if split else None,
        rule=None
        if split
        else SplitConfig(rule=rng.choice(("random", "cold-items", *(("leave-last", "global-time") if timed else ())))),
        min_rating=rng.choice((None, None, 3.0)),
        k_core=rng.choice((1, 1, 2)),
        skip_bad_rows=rng.random() < 0.3,
        strip_ids=rng.random() < 0.3,
        weight="rating" if rng.random() < 0.2 else None,
        decimal=rng.choice((".", ".", ",")),
        encoding=rng.choice(("utf-8", "utf-8", "cp1252", "utf-16", "shift_jis")),
    )
    data = read_table(config)
    check(data)
    if config.min_rating is None and config.k_core == 1 and config.encoding == "utf-8" and not config.skip_bad_rows:
        check_lines(file, data)


def check(data: Dataset) -> None:
    """What must hold of every data set."""
    pairs = data.interactions
    if pairs.n_users != data.users.height or pairs.n_items != data.items.height or not len(pairs):
        raise Wrong("counts do not fit the tables")
    for ids in (data.users["id"], data.items["id"]):
        if (
            ids.dtype != pl.String
            or ids.null_count()
            or ids.n_unique() < len(ids)
            or (ids.str.strip_chars() == "").any()
        ):
            raise Wrong("ids are missing, blank or not unique")
    if not np.isin(pairs.split, [int(split) for split in Split]).all() or not (pairs.split == Split.TRAIN).any():
        raise Wrong("splits that are none")
    if pairs.rating is not None and not np.isfinite(pairs.rating).all():
        raise Wrong("ratings that are no numbers")
    if pairs.timestamp is not None and pairs.timestamp.dtype.kind == "f" and not np.isfinite(pairs.timestamp).all():
        raise Wrong("times that are no numbers")


def check_lines(file: Path, data: Dataset) -> None:
    """Text without quotes: every line that is not blank is a row, or was reported as merged."""
    content = file.read_bytes() if file.suffix in (".tsv", ".inter", ".csv", ".dat", ".jsonl") else b'"'
    if (b'"' in content and file.suffix != ".jsonl") or b"\0" in content:  # quotes join lines; UTF-16 has others
        return
    content = content.replace(b"\r\n", b"\n")
    content = content if b"\n" in content else content.replace(b"\r", b"\n")
    empty = b" \t" if file.suffix == ".jsonl" else b""
    lines = [line for line in content.split(b"\n") if line.strip(empty or b" \r")]
    rows = len(lines) - (file.suffix != ".jsonl")
    merged = sum(int(note.split()[0].replace(",", "")) for note in data.notes if note[0].isdigit())
    if len(data.interactions) + merged not in (rows, rows - _blank(lines)):
        raise Wrong(f"{rows} rows in the file, {len(data.interactions)} pairs and {merged} merged")


def _blank(lines: list[bytes]) -> int:
    return sum(not line.strip(b" \t,;|:\xef\xbb\xbf\x0b\x0c") for line in lines)


def text_seeds(_: Path) -> list[Input]:
    """``::`` between the fields, and other text without a suffix that tells."""
    return [*table_seeds(".dat", "::"), *table_seeds(".txt", "|")[:1], *table_seeds(".data", "\t")[:1]]


def items_seeds(folder: Path) -> list[Input]:
    """Pairs and item metadata as CSV, JSON lines and Parquet; the items' file comes second."""
    pairs = {"a.csv": _text(_rows("5"), ",")}
    items = [
        {"id": f"i{n}", "title": f"Thing {n}", "text": "A toy.", "tags": ["a", "b"], "about": {"plot": "Once."}}
        for n in range(9)
    ]
    pl.DataFrame(items).write_parquet(folder / "items.parquet")
    plain = "".join(f"i{n},Thing {n},A toy.,x,y\n" for n in range(9))
    return [
        {**pairs, "items.jsonl": "".join(json.dumps(item) + "\n" for item in items).encode()},
        {**pairs, "items.parquet": (folder / "items.parquet").read_bytes()},
        {**pairs, "items.csv": ("id,title,text,tags,about.plot\n" + plain).encode()},
    ]


def read_with_items(folder: Path, out: Path, rng: Random) -> None:
    """``data import table --items``."""
    found = sorted(folder.glob("items*")) or [folder / "items.csv"]
    text = rng.choice(((), ("text",), ("text", "tags"), ("about.plot", "text"), ("about",)))
    check(
        read_table(
            TableConfig(
                interactions=folder / "a.csv",
                items=found[0],
                item_id="id",
                title=rng.choice((None, "title")),
                text=text,
                all_items=rng.random() < 0.5,
                keep_html=rng.random() < 0.3,
                skip_bad_rows=rng.random() < 0.3,
                image=rng.choice((None, None, "title")),
            )
        )
    )


def mmrec_seeds(folder: Path) -> list[Input]:
    """With and without external ids, compressed and not."""
    rng = np.random.default_rng(0)
    rows = [(n % 5, n * 3 % 7, n % 3, n + 0.5, 1000 + n) for n in range(21)]
    pairs = (
        "userID\titemID\tx_label\trating\ttimestamp\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)
    ).encode()
    np.save(folder / "image.npy", rng.normal(size=(7, 4)).astype(np.float32))
    np.save(folder / "text.npy", rng.normal(size=(7, 3)))
    features = {
        "image_feat.npy": (folder / "image.npy").read_bytes(),
        "text_feat.npy": (folder / "text.npy").read_bytes(),
    }
    mapping = {
        f"{kind}_id_mapping.csv": (f"{kind}_id\tnumber\n" + "".join(f"x{n}\t{n}\n" for n in range(7))).encode()
        for kind in "ui"
    }
    return [
        {"shop.inter": pairs, **features},
        {"shop.inter.gz": gzip.compress(pairs, mtime=0), "image_feat.npy": features["image_feat.npy"]},
        {"shop.inter": pairs, **mapping},
    ]


def read_mmrec_folder(folder: Path, out: Path, rng: Random) -> None:
    """``data import mmrec``."""
    check(
        read_mmrec(folder, split=rng.choice((None, None, SplitConfig(rule="random"), SplitConfig(rule="leave-last"))))
    )


def movielens_seeds(_: Path) -> list[Input]:
    """100K and 1M."""
    rows = [(n % 5 + 1, n * 3 % 7 + 1, n % 5 + 1, 880000000 + n) for n in range(21)]
    ratings = {mark: "".join(mark.join(map(str, row)) + "\n" for row in rows).encode() for mark in ("\t", "::")}
    genres = b"unknown|0\nAction|1\nDrama|2\n\n"
    films = "".join(f"{n}|Film {n} (1995)|01-Jan-1995||http://x|0|1|{n % 2}\n" for n in range(1, 8)).encode("latin-1")
    movies = "".join(f"{n}::Film \xe9 {n} (1995)::Drama|Comedy\n" for n in range(1, 8)).encode("latin-1")
    plots = "".join(json.dumps({"movieID": n, "plot": "Once."}) + "\n" for n in range(1, 8)).encode()
    return [
        {"u.data": ratings["\t"], "u.item": films, "u.genre": genres},
        {"ratings.dat": ratings["::"], "movies.dat": movies},
        {"ratings.dat": ratings["::"], "movies.dat": movies, "plots.jsonl": plots},
    ]


def read_movielens_folder(folder: Path, out: Path, rng: Random) -> None:
    """``data import movielens``, with plots where there are any."""
    plots = folder / "plots.jsonl"
    more = {"items": plots, "text": ("plot",)} if "plots.jsonl" in read_input(folder) else {}
    check(
        read_movielens(
            folder, all_items=rng.random() < 0.3, split=SplitConfig(rule=rng.choice(("random", "leave-last"))), **more
        )
    )


TARGETS = (
    Target("table-csv", 6_500, quoted_seeds, read_pairs),
    Target("table-tsv", 4_000, lambda _: table_seeds(".tsv", "\t"), read_pairs),
    Target("table-inter", 3_000, lambda _: table_seeds(".inter", "\t"), read_pairs),
    Target("table-text", 5_000, text_seeds, read_pairs),
    Target("table-gzip", 4_000, gzip_seeds, read_pairs),
    Target("table-parquet", 2_500, typed_seeds, read_pairs),
    Target("table-jsonl", 5_000, json_seeds, read_pairs),
    Target("items", 2_500, items_seeds, read_with_items),
    Target("mmrec", 2_500, mmrec_seeds, read_mmrec_folder),
    Target("movielens", 3_000, movielens_seeds, read_movielens_folder),
)
