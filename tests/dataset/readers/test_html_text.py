import html
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.dataset.readers.html_text import BLOCK, INLINE, column_without_html, without_html


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<p>Tom &amp; Jerry</p><p>A&nbsp;film</p>", "Tom & Jerry A film"),
        ("un<b>believ</b>able<br/>Really", "unbelievable Really"),
        ('<a title="a > b" href=x>link</a>.', "link."),
        ('<p style="x>odd quote', "odd quote"),
        ("<STYLE>p {a < b}</STYLE>seen<script>if (a<b) {}</script>too", "seen too"),
        ("<!DOCTYPE html><!-- a <b> --->kept", "kept"),
        ("&lt;br&gt;escaped once, &amp;lt;br&amp;gt; twice", "escaped once, twice"),
        ("3 < 5 > 2 <3 <y and z", "3 < 5 > 2 <3 <y and z"),
        ("by <Artist Name> for <FooBar>", "by <Artist Name> for <FooBar>"),
        ("unclosed <!-- comment and <script> stay", "unclosed <!-- comment and stay"),
        ("R&D; AT&T, Q&A", "R&D; AT&T, Q&A"),
        ("two\nlines  as they are", "two\nlines  as they are"),
    ],
)
def test_what_a_reader_sees_is_left(text: str, wanted: str) -> None:
    assert without_html(text) == wanted


@given(st.text(st.sampled_from("ab<>&;/\"'! -"), max_size=40))
def test_plain_text_written_as_html_comes_back(text: str) -> None:
    plain = " ".join(text.split())
    if without_html(plain) == plain:  # otherwise it reads as HTML itself
        assert without_html(f"<p>{html.escape(plain)}</p>") == plain


@given(
    st.lists(st.sampled_from(["<b>", "</p>", "x", "&amp;", "<!--", "-->", "<script>", "</script>", " "]), max_size=12)
)
def test_no_tag_of_html_is_left(parts: list[str]) -> None:
    found = without_html("".join(parts))
    assert "<b>" not in found
    assert "</p>" not in found


def test_elements_have_one_kind() -> None:
    assert not BLOCK & INLINE


@pytest.mark.parametrize("part", ["<", "<!--", "<a ", "<a b='", "<script>", "&amp;", "</script "])
def test_time_is_linear_in_hostile_texts(part: str) -> None:
    started = time.process_time()
    without_html(part * (1_000_000 // len(part)))
    assert time.process_time() - started < 10  # 3 s at most on a slow core; a quadratic reader takes hours


def test_columns_count_what_changed() -> None:
    texts = pl.Series("text", ["<b>A</b> mug", "R&D; < 3", None, "<br>", "plain"])
    found, changed = column_without_html(texts)
    assert found.to_list() == ["A mug", "R&D; < 3", None, None, "plain"]
    assert changed == 2


def test_what_was_escaped_again_and_again_is_read_a_few_times() -> None:
    text = "&amp;" * 1 + "amp;" * 40 + "lt;b>"
    found = without_html(text)
    assert len(found) < len(text)
    assert "&" in found  # it ends somewhere
