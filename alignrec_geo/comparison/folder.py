"""The folder of a comparison or of a search: opened, and its plan settled before anything is trained."""

from os import PathLike
from pathlib import Path

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan, continue_plan
from alignrec_geo.comparison.run import forget_failed
from alignrec_geo.errors import InputError
from alignrec_geo.folders import check_links
from alignrec_geo.locks import locked
from alignrec_geo.outputs import check_parents, followed
from alignrec_geo.staging import sweep_inside


def open_folder(out: str | PathLike[str], what: str) -> tuple[Layout, Plan | None]:
    """Return the layout of a folder and the plan that it holds, ``None`` if it is to be made.

    Args:
        out: the folder.
        what: what it is of, for messages.

    Raises:
        InputError: it is a file or a folder with other content, or its plan is damaged.
    """
    root = Path(out)
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file; the folder of a {what} is to be written there")
    check_parents(followed(root))
    layout = Layout(root)
    foreign = layout.foreign()
    if foreign:
        raise InputError(f"{root} is a folder with other content ({foreign[0]}); name a new folder for the {what}")
    if root.is_dir():
        check_links(root)
    return layout, Plan.load(layout.plan) if layout.plan.exists() else None


def settle_plan(layout: Layout, stored: Plan | None, wanted: Plan, retry_failed: bool) -> Plan:
    """Write the plan, which may add runs to the one that is there, and return it.

    Args:
        layout: the folder.
        stored: the plan that it holds.
        wanted: the plan that is asked for.
        retry_failed: forget runs that failed before.

    Raises:
        InputError: ``wanted`` is not ``stored`` with more runs; nothing has been written.
    """
    if stored is not None:
        continue_plan(stored, wanted, layout.root)  # refused before anything is written
    with locked(layout.lock("plan")):
        plan = continue_plan(Plan.load(layout.plan), wanted, layout.root) if layout.plan.exists() else wanted
        plan.save(layout.plan)
    sweep_inside(layout.root)
    if retry_failed:
        forget_failed(plan, layout)
    return plan
