"""The single-token changes of one source file."""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.BitXor: ("^", "|"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
"""An operator, and what takes its place."""

NAMES = {
    "min": "max", "any": "all", "argmin": "argmax", "minimum": "maximum", "amin": "amax", "zeros": "ones",
    "zeros_like": "ones_like", "floor": "ceil", "append": "remove", "mean": "sum", "argsort": "argmax", "sin": "cos",
    "union": "intersection", "startswith": "endswith", "lstrip": "rstrip", "partition": "rpartition",
}  # fmt: skip
NAMES |= {after: before for before, after in NAMES.items() if before not in ("mean", "argsort", "append")}
NAMES |= {"sum": "mean"}
"""Functions and methods that are called, and what is called instead."""
del NAMES["append"]

SILENT = {"warn", "warning", "info", "debug", "note", "echo", "print", "InputError", "ValueError", "TypeError"}
"""Calls whose arguments are words for people."""

SILENT_KEYWORDS = {"strict", "help", "description", "stacklevel"}
"""Keywords that check ourselves, or are words for people."""


@dataclass(frozen=True)
class Change:
    """One token of a file and what takes its place.

    Args:
        line: where it is, from 1.
        start: byte in the file where what is replaced begins.
        end: byte after it.
        before: what stands there.
        after: what takes its place.
        function: qualified name of the function around it; empty at the top of a module or in a class.
        wide: more than a token: arguments swapped, a result removed.
    """

    line: int
    start: int
    end: int
    before: str
    after: str
    function: str
    wide: bool = False

    def apply(self, source: bytes) -> bytes:
        """Return the changed file."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def find_changes(source: bytes) -> list[Change]:
    """Return every change of a file that is still a program, in the file's order.

    Example:
        >>> [(change.before, change.after) for change in find_changes(b"def f(a):\\n    return a < -2\\n")]
        [('a < -2', 'None'), ('<', '<='), ('-', ''), ('2', '1'), ('2', '3')]
    """
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    found = sorted(set(finder.changes), key=lambda change: (change.start, -change.end, change.after))
    return [change for change in found if _parses(change.apply(source))]


class _Finder(ast.NodeVisitor):
    """Collects the changes of a module."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for row in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(row))
        self.operators = list(self._operators())
        self.scope: list[str] = []
        self.in_function = 0
        self.changes: list[Change] = []

    def _operators(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and text of every operator and keyword."""
        rows = self.source.decode().splitlines(keepends=True)
        for token in tokenize.generate_tokens(io.StringIO(self.source.decode()).readline):
            if token.type in (tokenize.OP, tokenize.NAME):
                begin = self.starts[token.start[0] - 1] + len(rows[token.start[0] - 1][: token.start[1]].encode())
                yield begin, begin + len(token.string.encode()), token.string

    def add(self, start: int, end: int, after: str, wide: bool = False) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        function = ".".join(self.scope) if self.in_function else ""
        self.changes.append(Change(line, start, end, self.source[start:end].decode(), after, function, wide))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def operator(self, kind: type[ast.AST], start: int, end: int, suffix: str = "") -> None:
        """Change the operator that stands between two bytes."""
        before, after = OPERATORS[kind]
        words = (before + suffix).split()
        inside = [token for token in self.operators if start <= token[0] and token[1] <= end]
        for index, token in enumerate(inside):
            if [text for _, _, text in inside[index : index + len(words)]] == words:
                self.add(token[0], inside[index + len(words) - 1][1], after + suffix)
                return

    # what is left alone

    def visit_Raise(self, node: ast.Raise) -> None:
        pass

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.scope.pop()

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self.condition(node.test)
        self.generic_visit(node)

    # what is changed

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name == "__repr__" or any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
            return
        self.visit(node.args)  # defaults
        self.scope.append(node.name)
        self.in_function += 1
        for statement in node.body:
            self.visit(statement)
        self.in_function -= 1
        self.scope.pop()

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            if not isinstance(node.value, ast.Constant):
                self.add(*self.span(node.value), "None", wide=True)
            self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.add(*self.span(node), "break")

    def visit_Break(self, node: ast.Break) -> None:
        self.add(*self.span(node), "continue")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        text = any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right))
        union = isinstance(node.op, ast.BitOr) and any(_is_type(side) for side in (node.left, node.right))
        if type(node.op) in OPERATORS and not text and not union:
            self.operator(type(node.op), self.span(node.left)[1], self.span(node.right)[0])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in OPERATORS and not isinstance(node.value, (ast.JoinedStr, ast.List)):
            before, after = OPERATORS[type(node.op)]
            inside = (self.span(node.target)[1], self.span(node.value)[0])
            for start, end, text in self.operators:
                if inside[0] <= start and end <= inside[1] and text == before + "=":
                    self.add(start, end, after + "=")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self.operator(type(operator), self.span(left)[1], self.span(right)[0])
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.operator(type(node.op), self.span(left)[1], self.span(right)[0])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
            start = self.span(node)[0]
            width = 3 if isinstance(node.op, ast.Not) else 1
            self.add(start, start + width, "")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.condition(test)
        self.generic_visit(node)

    def condition(self, test: ast.expr) -> None:
        """Turn a condition that holds no operator of its own round."""
        if isinstance(test, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            start, end = self.span(test)
            self.add(start, end, f"not {self.source[start:end].decode()}")

    def visit_Constant(self, node: ast.Constant) -> None:
        start, end = self.span(node)
        if isinstance(node.value, bool):
            self.add(start, end, str(not node.value))
        elif isinstance(node.value, int):
            self.add(start, end, str(node.value + 1))
            if node.value > 0:
                self.add(start, end, str(node.value - 1))
        elif isinstance(node.value, float):
            self.add(start, end, repr(node.value * 2 if node.value else 1.0))

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in SILENT:
            return
        if called in NAMES:
            end = self.span(node.func)[1]
            self.add(end - len(called), end, NAMES[called])
        if len(node.args) > 1 and called not in ("isinstance", "getattr", "hasattr"):
            (start, middle), (after, end) = self.span(node.args[0]), self.span(node.args[1])
            first, second = self.source[start:middle].decode(), self.source[after:end].decode()
            starred = any(isinstance(argument, ast.Starred) for argument in node.args[:2])
            if not starred and first != second:
                self.add(start, end, second + self.source[middle:after].decode() + first, wide=True)
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in SILENT_KEYWORDS:
                self.visit(keyword.value)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))


def _is_type(node: ast.expr) -> bool:
    """Whether one side of ``A | B`` is a type, as in an alias."""
    if isinstance(node, ast.Subscript):
        return _is_type(node.value)
    return (isinstance(node, ast.Constant) and node.value is None) or (
        isinstance(node, ast.Name) and (node.id[:1].isupper() or node.id in ("str", "int", "float", "bool"))
    )


def _parses(source: bytes) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True
