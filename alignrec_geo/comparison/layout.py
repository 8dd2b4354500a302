"""Where a comparison keeps its files."""

from collections.abc import Iterator
from pathlib import Path

PLAN = "comparison.yaml"


class Layout:
    """The paths in the folder of a comparison.

    - ``comparison.yaml``: the plan
    - ``runs/MODEL/trial-NNN``: run folders of trials; ``runs/MODEL/chosen.json``: which trial won
    - ``runs/MODEL/seed-N``: run folders of the final runs with the defaults; ``seed-N-trial-NNN`` with the settings of
      the trial that won
    - ``study.sqlite``: the Optuna studies, one per model
    - ``results.json``, ``per_user.parquet``, ``table.*``, ``figures/``, ``report.html``: what came out
    - ``locks/``: who works on what

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan = root / PLAN
        self.study = root / "study.sqlite"
        self.results = root / "results.json"
        self.per_user = root / "per_user.parquet"

    def lock(self, name: str) -> Path:
        """The lock file of a piece of work."""
        return self.root / "locks" / f"{name}.lock"

    def model(self, name: str) -> Path:
        """The folder of a model's runs."""
        return self.root / "runs" / name

    def chosen(self, model: str) -> Path:
        """Which trial of a model won."""
        return self.model(model) / "chosen.json"

    def trial(self, model: str, number: int) -> Path:
        """The run folder of a trial."""
        return self.model(model) / f"trial-{number:03d}"

    def trials(self, model: str) -> Iterator[tuple[int, Path]]:
        """The trials that were begun, by number."""
        for folder in sorted(self.model(model).glob("trial-*")):
            yield int(folder.name.removeprefix("trial-")), folder

    def seed(self, model: str, seed: int, trial: int) -> Path:
        """The run folder of a final run with the settings of a trial; trial 0 are the defaults."""
        return self.model(model) / (f"seed-{seed}" if trial == 0 else f"seed-{seed}-trial-{trial:03d}")

    def foreign(self) -> list[str]:
        """Names in the folder that no comparison has put there: none once there is a plan."""
        if self.plan.exists() or not self.root.exists():
            return []
        ours = ("locks", f".{PLAN}.")  # what a comparison that was killed at its very start leaves
        return [entry.name for entry in sorted(self.root.iterdir()) if not entry.name.startswith(ours)]
