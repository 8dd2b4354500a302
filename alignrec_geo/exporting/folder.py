"""The folder of an export: its manifest with hashes, and a README that says how to load it."""

from pathlib import Path
from typing import Any

import numpy
import polars
import torch

import alignrec_geo
from alignrec_geo.exporting.source import Source
from alignrec_geo.exporting.written import Written
from alignrec_geo.files import read_json, sha256_of, write_json
from alignrec_geo.folders import FolderKind
from alignrec_geo.plain import printable
from alignrec_geo.serving.store import EMBEDDINGS

MANIFEST, README = "manifest.json", "README.md"
MADE_BY = "alignrec-geo export"


def finish(folder: Path, kind: str, source: Source, written: Written, versions: dict[str, str]) -> dict[str, Any]:
    """Write README and manifest, and return the manifest."""
    top = source.top
    model = None if source.config is None else source.config.model
    versions = {
        "alignrec-geo": alignrec_geo.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "polars": polars.__version__,
        **versions,
    }
    manifest: dict[str, Any] = {
        "made_by": MADE_BY,
        "format": kind,
        "model": model,
        "dataset": top.dataset.name,
        "users": len(source.users),
        "items": len(source.items),
        "width": source.items.shape[1],
        "tables_sha256": sha256_of(source.run / EMBEDDINGS),
        **written.facts,
        "checked": written.checked,
        "versions": versions,
    }
    (folder / README).write_text(_readme(manifest, written), encoding="utf-8")
    names = sorted([*written.files, README])
    manifest["files"] = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _readme(manifest: dict[str, Any], written: Written) -> str:
    model = "" if manifest["model"] is None else f"The model is {manifest['model']}. "
    lines = [
        f"# {printable(manifest['dataset'])}: {manifest['format']}",
        "",
        f"{model}{manifest['users']:,} users and {manifest['items']:,} items, vectors of {manifest['width']} numbers. "
        "The score of an item for a user is the dot product of their vectors; it ranks items for one user. What a user "
        "has interacted with is not left out: ask for more, and drop it.",
        "",
        "| file | |",
        "|---|---|",
        *(f"| `{name}` | {what} |" for name, what in written.files.items()),
        "",
        "## Loading it",
        "",
        written.usage.strip(),
        "",
        "## Checked",
        "",
        "After writing, everything was read back and compared with the run:",
        "",
        *(f"- {name}: {_said(compared)}" for name, compared in written.checked.items()),
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()) + ". "
        f"Hashes of all files are in `{MANIFEST}`.",
    ]
    return "\n".join(lines) + "\n"


def _said(compared: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value:.3g}" for key, value in compared.items())


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being an export of this program and nothing else."""
    if not (folder / MANIFEST).is_file():
        return f"has no {MANIFEST}"
    content = read_json(folder / MANIFEST)
    files = content.get("files") if isinstance(content, dict) and content.get("made_by") == MADE_BY else None
    if not isinstance(files, dict):
        return f"holds a {MANIFEST} that is not of an export"
    hashes = {name: str(part.get("sha256")) if isinstance(part, dict) else "" for name, part in files.items()}
    return EXPORT.unlike(folder, hashes, [MANIFEST])


EXPORT = FolderKind(name="export of a run", problem=_problem)
