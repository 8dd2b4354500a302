"""The settings of ``train``: of a new run, or of the run that it continues."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignrec_geo.cli.ids_alone import note_ids_alone
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.training.run_config import RunConfig

MORE = ("training.epochs", "training.patience", "training.log_to")
"""What a run may go on with that it was not started with: how long it is trained, and where it is logged."""


def resolved_settings(
    out: Path,
    chosen: dict[str, Any],
    config: Path | None,
    like: Path | None,
    settings: list[str],
    resume: bool,
    trust: bool,
) -> "RunConfig":
    """Resolve the settings.

    Args:
        out: the run folder.
        chosen: what options name; it wins over files.
        config: a YAML file of settings.
        like: the folder of a finished run, whose settings and chosen number of epochs are taken.
        settings: ``key=value`` pairs, which win over everything.
        resume: continue the run in ``out``, if there is one; nothing given may contradict its settings but
            :data:`MORE`.
        trust: accept class paths that only a file or the run to continue names.

    Raises:
        InputError: a setting is unknown, impossible or another than the run was started with; the message names only
            what differs.
    """
    from alignrec_geo.cli.refit import settings_of
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.settings import read_yaml
    from alignrec_geo.training.run_config import RunConfig
    from alignrec_geo.training.run_files import CONFIG

    # trusted to be read and compared; what is built are the resolved settings below
    stored = RunConfig.load(out / CONFIG, trust=True) if resume and (out / CONFIG).exists() else None
    if config is not None:
        base, file = read_yaml(config), config
    elif like is not None and stored is None:
        base, file = settings_of(like), like / CONFIG
    else:  # a run that goes on has taken over the settings of another one already
        base, file = {} if stored is None else stored.model_dump(mode="json"), out / CONFIG
    resolved = RunConfig.resolve({**base, **chosen}, settings, untrusted=None if trust else file)
    if resolved.features is None:
        data = Dataset.open(str(resolved.dataset))
        resolved = resolved.model_copy(update={"features": data.feature_names})
        note_ids_alone(data, [resolved.model])
    if stored is None:
        return resolved
    changed = {name: pair for name, pair in stored.differences(resolved).items() if name not in MORE}
    if changed:
        each = ", ".join(f"{name} was {before!r}, now {now!r}" for name, (before, now) in changed.items())
        raise InputError(f"{out} was started with other settings: {each}")
    return resolved
