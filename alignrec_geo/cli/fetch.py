"""``alignrec-geo data fetch``: the files of a public data set, from its owner's address."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.errors import InputError
from alignrec_geo.plain import printable

if TYPE_CHECKING:
    from alignrec_geo.dataset.recipes import Recipe


def fetch(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of a recipe (see --list), or path to a recipe.toml.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the files; downloads/NAME if not given.", show_default=False)
    ] = None,
    all_files: Annotated[
        bool, typer.Option("--all", help="Also the large files that the import command does not need.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(help="Address that has the same files, instead of the owner's.", show_default=False),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the recipes and stop.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download a public data set from its owner's address, check it, and say how to import it.

    A broken download is resumed; files that are there and right are not downloaded again.

    Example: alignrec-geo data fetch ml-100k --out downloads/ml-100k
    """
    if listing:
        _print_recipes(as_json)
        return
    if name is None:
        raise InputError("name a recipe to fetch; 'alignrec-geo data fetch --list' shows them")
    from alignrec_geo.dataset.recipes import find_recipe

    recipe = find_recipe(name)
    folder = out or Path("downloads") / recipe.name
    files = _generate(recipe, folder) if recipe.generated else _download(recipe, folder, mirror, all_files)
    if as_json:
        print_json(
            {
                "name": recipe.name,
                "folder": str(folder),
                "licence": recipe.licence,
                "files": files,
                "import": recipe.import_line(folder),
            }
        )
        return
    stderr.print(f"note: licence: {recipe.licence}", soft_wrap=True)
    if recipe.generated:
        lines = [f"{folder} is a data set; look at it with: alignrec-geo data describe {folder}"]
    else:
        lines = [f"{folder} is complete; import it with:", f"  {recipe.import_line(folder)}"]
    for line in lines:
        stdout.print(line, soft_wrap=True)


def _generate(recipe: "Recipe", folder: Path) -> list[dict[str, str | int | bool]]:
    """Make the catalogue, unless it is there."""
    from alignrec_geo.dataset.catalogue import make_catalogue
    from alignrec_geo.dataset.manifest import MANIFEST
    from alignrec_geo.dataset.store import Dataset

    if not (folder / MANIFEST).exists():
        make_catalogue().save(folder)
    elif Dataset.open(folder).name != recipe.name:
        raise InputError(f"{folder} holds another data set; name another folder with --out")
    return []


def _download(recipe: "Recipe", folder: Path, mirror: str | None, all_files: bool) -> list[dict[str, str | int | bool]]:
    from alignrec_geo.dataset.fetch import fetch as fetch_files
    from alignrec_geo.dataset.fetch import read_record

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=stderr,
    )
    tasks: dict[str, TaskID] = {}
    with ExitStack() as stack:

        def show(path: str, done: int, total: int | None) -> None:
            if not tasks:  # no bar where nothing needs to be downloaded
                stack.enter_context(bar)
            if path not in tasks:
                tasks[path] = bar.add_task(printable(path), total=total)
            bar.update(tasks[path], completed=done, total=total)

        fetch_files(recipe, folder, show, base_url=mirror, optional=all_files)
    record = read_record(folder)
    for path, file in record.files.items():
        if not file.hash_published:
            stderr.print(
                f"note: {path}: its owner publishes no hash; sha256 of what came: {file.sha256}",
                soft_wrap=True,
            )
    return [{"path": path, **file.model_dump()} for path, file in record.files.items()]


def _print_recipes(as_json: bool) -> None:
    from alignrec_geo.dataset.recipes import list_recipes

    recipes = list_recipes()
    if as_json:
        print_json(
            {
                "recipes": [
                    {
                        "name": recipe.name,
                        "title": recipe.title,
                        "way": recipe.way,
                        "homepage": recipe.homepage,
                        "licence": recipe.licence,
                        "statistics": {name: counts.model_dump() for name, counts in recipe.statistics.items()},
                        "import": recipe.import_line(Path("downloads") / recipe.name),
                    }
                    for recipe in recipes
                ]
            }
        )
        return
    rows = [
        (
            recipe.name if name == recipe.name else f"{recipe.name} ({name})",
            f"{counts.users:,}",
            f"{counts.items:,}",
            f"{counts.interactions:,}",
            recipe.way,
        )
        for recipe in recipes
        for name, counts in recipe.statistics.items()
    ]
    print_table("Recipes", ("recipe", "users", "items", "interactions", "how"), rows)
