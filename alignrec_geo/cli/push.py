"""``alignrec-geo push``: a run, a data set or features to the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout


def push(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a run or a data set.", show_default=False)],
    address: Annotated[
        str,
        typer.Argument(metavar="ADDRESS", help="OWNER/NAME on the Hub, with @BRANCH if need be.", show_default=False),
    ],
    public: Annotated[
        bool, typer.Option("--public", help="Anybody may read it; without this, new repositories are private.")
    ] = False,
    without_users: Annotated[
        bool, typer.Option("--without-users", help="No ids, interactions or vectors of users: items and content alone.")
    ] = False,
    without_images: Annotated[bool, typer.Option("--without-images", help="Of a data set: no images.")] = False,
    slim: Annotated[
        bool, typer.Option("--slim", help="Of a run: not the optimiser's state, which only --resume needs.")
    ] = False,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="ID", help="Licence for the card: mit, cc-by-4.0, …")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="A name for this state: v1.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Of the commit.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send a run, a data set, or its features to the Hugging Face Hub, with a card and the hash of every file.

    Example: alignrec-geo push runs/shop me/shop-alignrec --dry-run

    A data set with --without-users is its features alone. The token comes from HF_TOKEN or 'hf auth login', another
    address of the Hub from HF_ENDPOINT. What people wrote on the card stays.
    """
    from alignrec_geo.cli.hub import quiet_bars
    from alignrec_geo.sharing.push import push as send

    quiet_bars(as_json)
    pushed = send(
        path,
        address,
        public=public,
        tag=tag,
        message=message,
        license=license_,
        without_users=without_users,
        without_images=without_images,
        slim=slim,
        dry_run=dry_run,
    )
    if as_json:
        print_json(vars(pushed))
        return
    if dry_run:
        rows = [(name, f"{size:,}") for name, size in _grouped(pushed.files)]
        print_table(f"{pushed.kind} for {pushed.address}", ("file", "bytes"), rows)
    stderr.print(f"{'would leave' if dry_run else 'left'} this machine: {pushed.told}", soft_wrap=True)
    if pushed.commit is not None:
        stdout.print(f"{pushed.commit} ({'private' if pushed.private else 'public'})", soft_wrap=True)


def _grouped(files: dict[str, int]) -> list[tuple[str, int]]:
    """Files and their bytes, images in one row."""
    images = [size for path, size in files.items() if path.startswith("images/")]
    rows = [(path, size) for path, size in files.items() if not path.startswith("images/")]
    return rows + ([(f"images/ ({len(images):,} files)", sum(images))] if images else [])
