"""The functions of a source file, by line."""

import ast


def functions_at(source: bytes) -> dict[int, str]:
    """The qualified name of the function around every line of a function's body.

    Example:
        >>> functions_at(b"class A:\\n    def f(self):\\n        return 1\\n")
        {3: 'A.f'}
    """
    found: dict[int, str] = {}

    def look(node: ast.AST, scope: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = (*scope, child.name)
                if not isinstance(child, ast.ClassDef):
                    for line in range(child.body[0].lineno, (child.end_lineno or 0) + 1):
                        found[line] = ".".join(name)
                look(child, name)
            else:
                look(child, scope)

    look(ast.parse(source), ())
    return found
