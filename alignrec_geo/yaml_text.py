"""YAML of settings, within limits: plain values, no aliases that multiply, every key once."""

import math
import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import first_line, reading

HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs, except for those that stand for the bytes of a path that is no UTF-8."""
LARGEST = 2**63 - 1
"""Whole numbers beyond it fit in no table and no tensor."""


def parse_yaml(text: str, label: object) -> Any:
    """Parse one YAML document of settings.

    Values are texts, whole numbers, finite numbers, ``true``, ``false``, ``null``, lists and mappings with text keys,
    as in YAML 1.2: ``no`` is a text, and so is a date. Aliases may not multiply the document.

    Args:
        text: what to parse.
        label: the file (or the option), for messages.

    Raises:
        InputError: not such a document, a key twice, nested too deeply, too many aliases, or too long.

    Example:
        >>> parse_yaml("lr: 1e-3\\nsince: 2024-01-31", "a.yaml")
        {'lr': 0.001, 'since': '2024-01-31'}
    """
    if len(text) > limit("yaml_bytes"):
        raise over_limit(label, f"has {len(text):,} characters", "yaml_bytes")
    with reading(label, "YAML file"):
        try:
            return _Loader(text, label).get_single_data()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
            what = ", ".join(filter(None, (error.context, error.problem)))
            raise InputError(f"{label}: not valid YAML ({what:.160}{where})") from None
        except yaml.YAMLError as error:
            raise InputError(f"{label}: not valid YAML ({first_line(error)})") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with fewer types and with limits; they are kept while the text is read."""

    def __init__(self, text: str, label: object) -> None:
        super().__init__(text)
        self._label = label
        self._deepest, self._most_repeated = limit("yaml_depth"), limit("yaml_aliases")
        self._depth = 0
        self._repeated = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        alias = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > self._deepest:
            raise over_limit(self._label, f"is nested more than {self._deepest} deep", "yaml_depth")
        node = super().compose_node(parent, index)
        self._depth -= 1
        assert node is not None  # PyYAML makes one of every event but the end, where it is not asked
        if alias:
            self._repeat(node)
        else:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in _parts(node))
        return node

    def _repeat(self, node: Node) -> None:
        """Count what an alias stands for: all values below it, those of its own aliases too."""
        if id(node) not in self._sizes:
            raise InputError(f"{self._label}: line {node.start_mark.line + 1} holds itself by an alias")
        self._repeated += self._sizes[id(node)]
        if self._repeated > self._most_repeated:
            raise over_limit(self._label, "repeats a great many values by aliases", "yaml_aliases")

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                shown = key.value if isinstance(key, ScalarNode) else "a list or mapping"
                raise self._wrong(f"keys are texts (got {shown:.80})", key)
            if key.value in seen:
                raise self._wrong(f"key '{key.value:.80}' is there twice", key)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))

    def whole(self, node: ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        digits, base = text.lstrip("+-").lower(), 10
        for prefix, other in (("0x", 16), ("0o", 8)):
            if digits.startswith(prefix):
                digits, base = digits[2:], other
        try:
            value = int(digits, base) if len(digits) < 64 else LARGEST + 1
        except ValueError:
            raise self._wrong(f"not a whole number (got {text:.40})", node) from None
        if value > LARGEST:
            raise self._wrong(f"too large a whole number (got {text:.40})", node)
        return -value if text.startswith("-") else value

    def number(self, node: ScalarNode) -> float:
        text = str(self.construct_scalar(node)).replace("_", "")
        try:
            value = float(text)
        except ValueError:  # .inf and .nan too
            value = float("nan")
        if not math.isfinite(value):
            raise self._wrong(f"not a finite number (got {text:.40})", node)
        return value

    def text(self, node: ScalarNode) -> str:
        value = str(self.construct_scalar(node))
        if HALVES.search(value):
            raise self._wrong("a text holds half of a surrogate pair", node)
        return value

    @staticmethod
    def _wrong(what: str, node: Node) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)


_TAG = "tag:yaml.org,2002:"
_Loader.yaml_constructors = {
    **{f"{_TAG}{kind}": yaml.SafeLoader.yaml_constructors[f"{_TAG}{kind}"] for kind in ("null", "bool", "seq", "map")},
    f"{_TAG}int": _Loader.whole,
    f"{_TAG}float": _Loader.number,
    f"{_TAG}str": _Loader.text,
    None: yaml.SafeLoader.construct_undefined,
}
_FLOAT = r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", "[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"^(?:{_form})$"), list(_first))


def _parts(node: Node) -> list[Node]:
    """The nodes directly below one."""
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node.value, list) else []
