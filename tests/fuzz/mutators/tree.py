"""Changes of JSON, YAML and TOML: a value becomes another, a key goes, comes twice or has another name."""

import json
import re
from random import Random
from typing import Any

import yaml

_RAW = "\ue000{}\ue000"
DEEP = 20_000
TOKENS = (
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 5000, "-0", "0.1e-400", "01", "true", "nul", '"\\ud800"',
    '"\\u0000"', '{"a":1,"a":2}', "[" * DEEP, "[" * 90 + "]" * 90, "[" * DEEP + "]" * DEEP,
    '{"a":' * 3000 + "1" + "}" * 3000,
)  # fmt: skip
YAML_TOKENS = (
    ".nan", ".inf", "-.inf", "1e999", "9" * 5000, "0x", "0x_", "0b_", "0o9", "1:60:60", "-190:20:30", "2020-99-99",
    "2001-02-30",
    "2001-12-14t21:59:43.10-99:00", "!!float x", "!!int ''", "!!int x", "!!timestamp x", "!!binary x", "!!set {a, b}",
    "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object/apply:os.system ['true']", "!!bool maybe", "!!null x",
    "&a [*a]",
    "*nowhere", "&a {<<: *a}", "{<<: 1}", "? [a]", "{[1]: 2}", "{? {a: 1} : 2}", "[" * 300, "{" * 300, "- " * 300,
    "|", ">",
    "'", '"', "%YAML 9.9", "---", "...", "\t- a", "~", "yes", "=", "!", "!<x> y", "@x", "`x", "\x07", "\u2028",
    "'\\ud800'",
    '"\\ud800"', '"\\x00"', "1_000", "1__0", "+.5", "685_230.15", "190:20:30.15", "1e3", "[]", "{}", "''", "-1", "0",
)  # fmt: skip
TOML_TOKENS = (
    "nan", "inf", "-inf", "1e999", "9" * 5000, "0x", "1979-05-27", "1979-99-27", "07:99:00", "1979-05-27T07:32:00Z",
    "[1, 'a']",
    "{}", "{a = {b = 1}}", "[" * 3000, '"""', "'''", '"\\ud800"', '"\\u0000"', '"\\x00"', "''", "true", "-1", "0",
    "0.5", '"ftp://x"',
    '"http://"', '"https://h/\\u001b[31m"', '"../x"', '"/x"', '"a/../../x"', '"C:\\\\x"', '"~/x"', '".."', '"."', "''",
    '"alignrec-geo data import; rm -rf {folder}"', '"alignrec-geo {folder} {x} {0}"', '"[red]x[/red]"',
    '"' + "x" * 9000 + '"',
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", " ", 0, -1, 1, 3, 1.5, 2**31, 2**63, 2**64, 10**30, 1e308, float("nan"), float("inf"),
    [], {}, [[]],
    [None], {"a": None}, {"a": {"a": {}}}, [1, "a", None], "\x00", "\x1b[31mred", "[red]x[/red]", "[/]", "a\nb",
    "a" * 9000, "../../x",
    "/etc/passwd", ".", "..", "é", "\u202e", "NaN", "null", "1", "train", "os.system", "os:system", "1e9999",
    [0] * 1000,
)  # fmt: skip


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [before]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if len(found) < 400:
            found += _paths(inner, (*before, key))
    return found


def mutate_value(value: Any, rng: Random, raw: tuple[str, ...] = TOKENS) -> Any:
    """Change one place of nested lists and dictionaries; ``value`` itself is changed where it can be."""
    paths = _paths(value)
    path = rng.choice(paths[1:] or paths)
    if not path:
        return rng.choice(VALUES)
    home = value
    for key in path[:-1]:
        home = home[key]
    key, here = path[-1], home[path[-1]]
    kind = rng.random()
    if kind < 0.5:
        home[key] = rng.choice(VALUES)
    elif kind < 0.6:
        home[key] = _RAW.format(rng.choice(raw))
    elif kind < 0.7 and isinstance(home, dict):
        home[rng.choice((key + "x", "", "__class__", "model_config", 1, rng.choice(list(home))))] = here
    elif kind < 0.8:
        del home[key]
    elif kind < 0.9:
        home[key] = rng.choice(([here], {"a": here}, str(here), [here, here], [here] * 50))
    elif isinstance(here, bool):
        home[key] = not here
    elif isinstance(here, int | float):
        home[key] = rng.choice((-here, here + 1, here - 1, here * 2, here * 10**6, float(here), here + 0.5))
    elif isinstance(here, str):
        place = rng.randrange(len(here) + 1)
        home[key] = here[:place] + rng.choice(("x", "", "\x00", "/", "..", "\n", "é", "[b]")) + here[place + 1 :]
    else:
        home[key] = rng.choice(VALUES)
    return value


def _with_raw(text: str) -> bytes:
    return re.sub(r'["\']?(?:\ue000|\\ue000)(.*?)(?:\ue000|\\ue000)["\']?', _unescaped, text, flags=re.DOTALL).encode(
        errors="surrogatepass"
    )


def _unescaped(found: re.Match[str]) -> str:
    inner = found.group(1)
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError:
        return inner


def mutate_json(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change one value of a JSON document."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 2))):
        value = mutate_value(value, rng)
    text = _with_raw(json.dumps(value, ensure_ascii=rng.random() < 0.5))
    return (
        text
        if rng.random() < 0.95
        else rng.choice((b"\xef\xbb\xbf" + text, text + text, text.decode(errors="replace").encode("utf-16")))
    )


def mutate_json_lines(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change one line, or leave it out, repeat it, or put something else in its place."""
    lines = content.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    kind = rng.random()
    if kind < 0.75:
        lines[place] = mutate_json(lines[place], other, rng) + b"\n"
    elif kind < 0.8:
        lines[place : place + 1] = [lines[place]] * rng.choice((0, 2, 100))
    else:
        lines[place] = rng.choice(
            (b"\n", b"null\n", b"[]\n", b"1\n", b"{}\n", b"{\n", b"\x00\n", b"\xff\n", b'"x"\n', b"{} {}\n", b"\x0c\n")
        )
    return b"".join(lines)


def mutate_yaml(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change one value of a YAML document, or put something of YAML's own after a colon."""
    if rng.random() < 0.5:
        value = yaml.safe_load(content)
        text = yaml.safe_dump(mutate_value(value, rng, YAML_TOKENS), sort_keys=False, allow_unicode=True)
        return _with_raw(text)
    lines = content.decode().splitlines()
    place = rng.randrange(len(lines))
    head, colon, _ = lines[place].partition(":")
    kind = rng.random()
    if kind < 0.7:
        lines[place] = f"{head}{colon} {rng.choice(YAML_TOKENS)}"
    elif kind < 0.8:
        lines.insert(
            place,
            rng.choice(("<<: *a", "a: &a [x, x]", "%YAML 1.1", "---", "...", "? x", "- x", "\tx: 1", lines[place])),
        )
    elif kind < 0.9:
        lines[place] = " " * rng.choice((1, 3, 500)) + lines[place]
    else:
        bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, rng.choice((3, 9, 30)))]
        lines[place:place] = bomb
    return "\n".join(lines).encode(errors="surrogatepass")


def mutate_toml(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change the value of one line of a TOML document, or the line."""
    lines = content.decode().splitlines()
    place = rng.choice([n for n, line in enumerate(lines) if "=" in line] or [0])
    head = lines[place].partition("=")[0]
    kind = rng.random()
    if kind < 0.65:
        lines[place] = f"{head}= {rng.choice(TOML_TOKENS)}"
    elif kind < 0.75:
        lines[place : place + 1] = [lines[place]] * rng.choice((0, 2))
    elif kind < 0.9:
        lines.insert(
            place,
            rng.choice(
                (
                    "[files]",
                    "[[files]]",
                    "[statistics]",
                    "[a.b.c]",
                    "[[statistics]]",
                    "x = 1",
                    "[",
                    "a.b = 1",
                    "a.b.c = 2",
                    "'' = 1",
                    '"import" = 1',
                )
            ),
        )
    else:
        lines[place] = mutate_text(lines[place], rng)
    return "\n".join(lines).encode(errors="surrogatepass")


def mutate_text(text: str, rng: Random) -> str:
    """Put something in, or take a character out."""
    place = rng.randrange(len(text) + 1)
    return (
        text[:place]
        + rng.choice(("", "\x00", "\n", "\r", '"', "'", "\\", "[", "]", "{", "=", "#", "é", "\u2028"))
        + text[place + 1 :]
    )
