"""Text of the data on a terminal: every control character is gone, everything else stays."""

import unicodedata

from alignrec_geo.plain import printable


def test_no_control_character_is_left():
    everything = "".join(map(chr, range(0x110000)))
    shown = printable(everything)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_letters_of_every_script_stay():
    for text in ("Kaffee ☕", "日本語", "שלום", "e\u0301", "👩\u200d🔬", "a\u00a0b", "[red] :smile: \\[b]"):
        assert printable(text) == text


def test_a_text_is_one_line():
    assert printable("a\r\n\tb\x0bc\u2028d") == "a b c d"
    assert printable("\x1b]0;pwn\x07") == "\\x1b]0;pwn\\x07"
    assert printable("\udcff") == "\\udcff"
