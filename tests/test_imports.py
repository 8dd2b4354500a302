"""No circle of imports: between modules, and between the parts of a package taken as a whole."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp
import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "alignrec_geo"
DOORS = {
    ("alignrec_geo.dataset.from_memory", "alignrec_geo.dataset.readers.frame"): "Dataset.from_frame",
    ("alignrec_geo.dataset.from_memory", "alignrec_geo.dataset.readers.hetero"): "Dataset.from_hetero",
    ("alignrec_geo.models.base", "alignrec_geo.models.stored"): "Recommender.load",
}
"""Constructors on a class that call what makes such objects; imported when they are called."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE.name, exclude_type_checking_imports=True, cache_dir=None)


def circles(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Circles of a graph, one for each part that leads back to itself."""
    found: list[str] = []
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            found.append(" -> ".join([*path[path.index(node) :], node]))
        elif node not in done:
            for other in sorted(edges.get(node, ())):
                visit(other, [*path, node])
            done.add(node)

    for node in sorted(edges):
        visit(node, [])
    return found


def between(graph: grimp.ImportGraph, parts: Iterable[str]) -> dict[str, set[str]]:
    """What each of the parts imports of the others, everything below a part counted as it."""
    owner = {module: part for part in parts for module in {part, *graph.find_descendants(part)}}
    edges: dict[str, set[str]] = {part: set() for part in parts}
    for module, part in owner.items():
        for other in graph.find_modules_directly_imported_by(module):
            if owner.get(other, part) != part and (module, other) not in DOORS:
                edges[part].add(owner[other])
    return edges


def test_circles_are_found():
    assert circles({"a": ["b"], "b": ["c"], "c": []}) == []
    assert circles({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b -> c -> b"]


def test_no_circle_of_modules(graph):
    edges = {
        module: [other for other in graph.find_modules_directly_imported_by(module) if (module, other) not in DOORS]
        for module in graph.modules
    }
    assert circles(edges) == []


def test_no_circle_of_the_parts_of_a_package(graph):
    packages = [module for module in graph.modules if graph.find_children(module)]
    assert {"alignrec_geo", "alignrec_geo.content", "alignrec_geo.dataset"} <= set(packages)
    assert [circle for package in packages for circle in circles(between(graph, graph.find_children(package)))] == []


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_open_on_call_only(graph, door):
    (details,) = graph.get_import_details(importer=door[0], imported=door[1])
    source = PACKAGE.parent.joinpath(*door[0].split(".")).with_suffix(".py").read_text().splitlines()
    assert source[details["line_number"] - 1].startswith("        from")
