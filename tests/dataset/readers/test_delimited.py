import codecs
import csv
import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.readers import delimited, loose
from alignrec_geo.dataset.readers.delimited import TextLayout, read_delimited
from alignrec_geo.dataset.readers.delimited_chunks import delimited_chunks
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.table_files import read_table_file
from alignrec_geo.errors import InputError
from tests.dataset.toys import write


def read(text: str | bytes, suffix: str | None = ",", **layout: object) -> Table:
    content = text if isinstance(text, bytes) else text.encode()
    return read_delimited(content, "t", TextLayout(**layout), suffix)  # type: ignore[arg-type]


def rows(table: Table) -> list[tuple[object, ...]]:
    assert table.lines is not None
    return [(int(line), *row) for line, row in zip(table.lines, table.frame.rows(), strict=True)]


@pytest.mark.parametrize("separator", ["\t", "|", "::"])
def test_without_quoting_a_quote_is_a_character(separator: str) -> None:
    lines = ["user,item,comment", 'a,x,"starts', "a,y,ok", 'b,x,ends"', 'b,y,""']
    wanted = [(2, "a", "x", '"starts'), (3, "a", "y", "ok"), (4, "b", "x", 'ends"'), (5, "b", "y", '""')]
    assert rows(read("\n".join(lines).replace(",", separator), separator)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('a,b\n1,"x ""y"", z"\n2,\n', [(2, "1", 'x "y", z'), (3, "2", None)]),
        ('a,b\r\n1,"two\r\nlines"\r\n\r\n2,z\r\n', [(2, "1", "two\r\nlines"), (5, "2", "z")]),
        ('"a","b"\n"1","x"\n', [(2, "1", "x")]),
        ('a,b\n1,5" disk\n2,"x, y"\n', [(2, "1", '5" disk'), (3, "2", "x, y")]),
        ("a,b\r1,2\r3,4", [(2, "1", "2"), (3, "3", "4")]),
        ("a,b\r\r\n1,2\r\r\n", [(2, "1", "2")]),
        ("\n\na,b\n1,2\n  \n3,4\n,\n\n", [(4, "1", "2"), (6, "3", "4")]),
        ("\ufeffa,b\n1,2\n\ufeff3,4\n", [(2, "1", "2"), (3, "3", "4")]),
        ("a,b\n", []),
        ('a,b\n1,"a, b\n\nc, d"\n2,x\n', [(2, "1", "a, b\n\nc, d"), (5, "2", "x")]),
    ],
)
def test_every_record_of_csv_is_read(text: str, wanted: list[tuple[object, ...]]) -> None:
    assert rows(read(text)) == wanted


def test_other_encodings_say_what_they_are() -> None:
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        assert rows(read("a,b\n1,é\n".encode(encoding))) == [(2, "1", "é")]
    assert rows(read("a|b\n1|é\n".encode("latin-1"), "|", encoding="latin-1")) == [(2, "1", "é")]
    with pytest.raises(InputError, match="t: is not UTF-16 text"):
        read(codecs.BOM_UTF16_LE + b"a,b\n1")
    with pytest.raises(InputError, match="t: line 3 is not UTF-8 text"):
        read(b"a,b\n1,2\n3,\xe9\n")
    with pytest.raises(InputError, match="t: line 2 holds a zero byte"):
        read(b"a,b\n1,2\0\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,2\nx,"y\nz,w\n', "t: a quote opens in line 3 and is not closed"),
        ('a,b\n1,"x" y\n2,z\n', "t: a quote opens in line 2 and closes before the end of its field"),
        ('a,b\n1,"' + "x" * 200_000 + "\n", "t: a quote opens in line 2 and is not closed soon"),
        (
            'a,b,c\nu,i,"x\nu,j,ok\nv,i,y"\nv,k,z\n',
            "t: a quote opens in line 2 and closes in line 4, and each of",
        ),
        ('a,b,c\nu,i,"x\nv,i,y"\nv,k,5" disk\n', "t: a quote opens in line 2 and closes in line 3, and each of these"),
        ("a,b\n1,2\n1\n", "t: line 3 has 1 field; 2 columns are named"),
        ("a,b\n1,2,\n", "t: line 2 has 3 fields; 2 columns are named"),
        ('a,b\n1,5" disk\n1,2,3\n', "t: line 3 has 3 fields; 2 columns are named"),
        ('"a"\rx,b\n1,2\n', "t: line 1 has|t: line 1 holds a carriage return"),
        ("a\rx,b\n1,2\n", "t: line 1 holds a carriage return between its fields"),
        ("", "t: is empty"),
        ("\ufeff\n \n", "t: is empty"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(text)


def test_files_without_header() -> None:
    assert rows(read("1,2\n3,4\n", columns=["a", "b"])) == [(1, "1", "2"), (2, "3", "4")]
    with pytest.raises(InputError, match="t: line 1 has 2 fields; 3 columns are named"):
        read("1,2\n3,4\n", columns=["a", "b", "c"])


def test_columns_of_one_name_are_refused_where_they_are_wanted() -> None:
    table = read("a,a,b\n1,2,3\n")
    assert table.column("b").to_list() == ["3"]
    with pytest.raises(InputError, match="t: several columns are called 'a'"):
        table.column("a")


def test_separators() -> None:
    assert rows(read("aé b\n1é2\n".replace(" ", ""), separator="é")) == [(2, "1", "2")]
    assert rows(read("a\tb\n1\t2\n", ",", separator="\\t")) == [(2, "1", "2")]
    for text, hint in (("a;b\n1;2,5\n", "';'"), ("a\tb\n", r"'\\t'")):
        with pytest.raises(InputError, match=rf"line 1 holds no ',', but 1 of {hint}; .*: separator={hint}"):
            read(text, separator=",")
    for wrong in ("", '"', "\n"):
        with pytest.raises(InputError, match=r"a separator is one character, a tab for example \(got"):
            read("a,b\n1,2\n", separator=wrong)


@pytest.mark.parametrize(
    ("text", "suffix", "mark"),
    [
        ("a;b\n1;2,5\n", ",", ";"),
        ("a;b, or c\n1;2,5\n3;4\n", ",", ";"),
        ('a,b;c\n1,";"\n2,3\n', ",", None),
        ("a\tb\n1\t2\n", ",", "\\t"),
        ("a|b\n1|x, y; z\n", None, "|"),
        ("a::b\n1::x|y\n", None, "::"),
        ("a,b\n1,2\n", None, ","),
        ("a,b;c\n1,2,3\n", ",", None),
        ("a\n1\n", ",", None),
    ],
)
def test_a_separator_that_was_guessed_is_noted(text: str, suffix: str | None, mark: str | None) -> None:
    table = read(text, suffix, skip_bad_rows=False) if "1,2,3" not in text else None
    if table is None:
        with pytest.raises(InputError, match="line 2 has 3 fields; 2 columns are named"):
            read(text, suffix)
        return
    said = (
        []
        if mark is None
        else [f"columns are separated by '{mark}', as the first lines show; separator= overrules that"]
    )
    assert list(table.notes) == said
    assert table.frame.width == text.split("\n")[0].count(mark.replace("\\t", "\t") if mark else ",") + 1


def test_encodings_and_decimal_marks_that_there_are_not() -> None:
    for wrong in ("utf-9", "hex", "", "a\0b"):
        with pytest.raises(InputError, match="unknown encoding of text"):
            TextLayout(encoding=wrong)
    with pytest.raises(InputError, match=r"a decimal mark is '\.' or ',' \(got"):
        TextLayout(decimal=";")
    with pytest.raises(InputError, match=r"line 2 is not UTF-8 text; name its encoding, .* often encoding='cp1252'"):
        read("a,b\n1,ä\n".encode("cp1252"), options=True)
    assert rows(read("a,b\n1,ä€\n".encode("cp1252"), encoding="windows-1252")) == [(2, "1", "ä€")]


FIELD = st.text(st.sampled_from(["a", "1", " ", '"', ",", ";", "\t", "|", ":", "\n", "é"]), max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=6), st.sampled_from(["\t", "|", ",", ";"]))
def test_nothing_is_lost_in_silence(pairs: list[tuple[str, str]], separator: str) -> None:
    text = "".join(f"x{a}{separator}{b}\n" for a, b in pairs)
    try:
        table = read(text, separator=separator, columns=["a", "b"])
    except InputError:
        return
    quoting = csv.QUOTE_MINIMAL if separator in ",;" else csv.QUOTE_NONE
    records = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=True)
    # a line of blanks alone is left out; of two fields one with a blank is a row
    kept = [record for record in records if "".join(record) and (len(record) > 1 or record[0].strip())]
    wanted = [tuple(field or None for field in record) for record in kept]
    assert [tuple(field or None for field in row) for row in table.frame.rows()] == wanted


def test_gzip_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    member = gzip.compress(b"a,b\n1,2\n")
    for name, content in (("t.csv.gz", member), ("t.csv", member), ("T.CSV.GZ", member)):
        (tmp_path / name).write_bytes(content)
        assert read_table_file(tmp_path / name).frame.rows() == [("1", "2")]
    path = tmp_path / "t.csv.gz"
    path.write_bytes(member + gzip.compress(b"3,4\n"))
    assert read_table_file(path).frame.rows() == [("1", "2"), ("3", "4")]
    path.write_bytes(member + b"garbage")
    with pytest.raises(InputError, match=r"t\.csv\.gz: not a readable gzip file, or damaged"):
        read_table_file(path)
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (17 << 20)))
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_ratio=100")
    with pytest.raises(InputError, match=r"t\.csv\.gz: unpacks to more times its size; the limit is 100 \(raise it"):
        read_table_file(path)
    monkeypatch.setenv("ALIGNREC_LIMITS", "unpacked_ratio=1e6,unpacked_bytes=7e7")
    with pytest.raises(InputError, match="unpacks to more bytes; the limit is 70000000"):
        read_table_file(path)


def test_pipes_are_refused(tmp_path: Path) -> None:
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="is a pipe, socket or device"):
            read_table_file(tmp_path / name)


def test_an_id_with_a_line_break_is_refused(tmp_path: Path) -> None:
    from alignrec_geo.dataset.readers.columns import id_column

    table = read_table_file(write(tmp_path / "t.csv", 'user,item\nk1,"a1\nk2,a2"\n'))
    with pytest.raises(InputError, match=r"t\.csv: line 2 has an id with a line break in column 'item'; does a quote"):
        id_column(table, "item")


def test_a_separator_that_nothing_can_stand_in_for() -> None:
    controls = "".join(delimited.STAND_INS)
    with pytest.raises(InputError, match="holds too many control characters to be read with the separator '::'"):
        read(f"user::item\na::{controls}\n", "::")


def test_one_named_column_needs_no_separator() -> None:
    assert rows(read("a b\nc\n", None, columns=("id",))) == [(1, "a b"), (2, "c")]


def test_a_mark_by_which_the_first_lines_cannot_be_read_is_not_the_separator() -> None:
    quote = 'a,"b\n' + "x" * (csv.field_size_limit() + 1) + ";c\n"
    assert not delimited._even(quote.splitlines(), ",")


def test_parts_of_a_text() -> None:
    text = io.BytesIO("user;item\nJörg;Töpfe\nann;pen".encode("cp1252"))
    parts = list(delimited_chunks(text, "t", TextLayout(separator=";", encoding="cp1252"), size=12))
    assert [row for part in parts for row in part.frame.rows()] == [("Jörg", "Töpfe"), ("ann", "pen")]
    assert len(parts) > 1  # of which the last ends without a line break
    with pytest.raises(InputError, match="a separator is one character"):
        next(delimited_chunks(io.BytesIO(b"a,b\n"), "t", TextLayout(separator='"')))
    with pytest.raises(InputError, match="t: is not UTF-16 text"):
        list(delimited_chunks(io.BytesIO("user,item\n".encode("utf-16") + b"x"), "t", TextLayout()))


def test_a_quote_that_stays_open_over_parts() -> None:
    lines = [f"u{n},i{n}" for n in range(30)]
    text = "\n".join(["user,item", 'ann,5" pipe', *lines, ""]).encode()
    parts = list(delimited_chunks(io.BytesIO(text), "t", TextLayout(), ",", size=20))
    assert [row for part in parts for row in part.frame.rows()] == [
        ("ann", '5" pipe'),
        *((f"u{n}", f"i{n}") for n in range(30)),
    ]
    assert len(parts) > 1


def test_records_in_batches() -> None:
    blocks = [b"a,b\n\n", b'c,"d\ne"\n', b"\n\n\n", b"f,g\n"]
    batches = list(loose.loose_batches(iter(blocks), ",", "t", size=4))
    assert [row for rows, _ in batches for row in rows] == [["a", "b"], ["c", "d\ne"], ["f", "g"]]
    assert [int(line) for _, lines in batches for line in lines] == [1, 3, 8]
    assert all(rows for rows, _ in batches)
