"""Runs that failed get another chance."""

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.run import error_of
from alignrec_geo.staging import remove_folder


def forget_failed(plan: Plan, layout: Layout) -> None:
    """Delete the folders of failed runs, so that they are trained from the start.

    A model that loses trials loses its choice too: it is made anew when they are over. The trials keep their settings,
    and in ``study.sqlite`` the mark that they once failed.

    Args:
        plan: the plan; what other models left in the folder stays.
        layout: the comparison's folder.
    """
    for model in plan.models:
        for _, folder in layout.trials(model):
            if error_of(folder) is not None:
                layout.chosen(model).unlink(missing_ok=True)  # first: without it the trials are looked at again
                remove_folder(folder)
        for folder in sorted(layout.model(model).glob("seed-*")):
            if error_of(folder) is not None:
                remove_folder(folder)
