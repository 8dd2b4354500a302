"""Seconds per training epoch of other libraries, in an environment of their own, taking turns with ours.

    python benchmarks peers install            # makes .venv-peers
    python benchmarks peers run --dataset data/baby

Libraries are installed as they are. One that cannot be installed or run on this Python is listed with its error.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from harness.contestants import start
from harness.measure import Measured, interleave, report, results_folder, say
from harness.program import run_program
from harness.shapes import FEATURE, SHAPES, make_dataset
from harness.workers import BENCHMARKS, Worker
from speed.epoch import graph_cache

from alignrec_geo.dataset import Dataset
from alignrec_geo.files import write_json

HOME = BENCHMARKS.parent / ".venv-peers"
PINS = ("numpy==1.26.4", "scipy==1.11.4", "pandas==2.2.3")
"""RecBole 1.2 needs a SciPy whose ``dok_matrix`` still has ``_update``, which needs NumPy 1."""
LIBRARIES = ("recbole==1.2.1", "implicit==0.7.3", "cornac==2.2.2")
"""The wheel of cornac 2.3 needs a newer libstdc++ than Debian 12 has."""
PEERS = {
    "recbole-lightgcn": ("lightgcn-ours", "RecBole LightGCN, 3 layers"),
    "recbole-bpr": ("bpr-ours", "RecBole BPR"),
    "implicit-bpr": ("bpr-ours", "implicit BPR (SGD without batches, Cython)"),
    "cornac-vbpr": ("epoch-ours-frozen", "cornac VBPR; ours: AlignRec, frozen features, with its validation"),
}
"""Peer → our contestant of the same batch and dimension, and what is compared."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def install(
    venv: Annotated[Path, typer.Option(help="Environment to make.")] = HOME,
    torch_build: Annotated[str, typer.Option("--torch", help="Requirement that names the torch to install.")] = (
        f"torch=={torch.__version__.partition('+')[0]}"
    ),
) -> None:
    """Make the environment, and note in it what could not be installed."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    failed: dict[str, str] = {}
    for wanted in ([torch_build], [*PINS], *([*PINS, library] for library in LIBRARIES)):
        say(f"installing {wanted[-1]}")
        command = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        done = subprocess.run([*command, *wanted], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            failed[wanted[-1]] = _last_error(done.stderr)
            say(f"  failed: {failed[wanted[-1]]}")
    write_json(venv / "failed.json", failed)


@app.command()
def run(
    dataset: Annotated[Path | None, typer.Option(help="Data set folder whose pairs are used; else drawn ones.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of drawn pairs, width of the features.")] = "baby",
    only: Annotated[str, typer.Option(help="Peers, comma-separated.")] = ",".join(PEERS),
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 3,
    batch: Annotated[int, typer.Option(help="Triplets per step.")] = 2048,
    seed: Annotated[int, typer.Option(help="Seed of drawn pairs and features.")] = 0,
    venv: Annotated[Path, typer.Option(help="The environment.")] = HOME,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny shape, one round; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object with a row per peer, and store it as peers.json."""
    if quick:
        shape, rounds, batch, dataset = "quick", 1, 256, None
    if not (venv / "bin" / "python").exists():
        raise typer.BadParameter(f"{venv}: no such environment; make it with 'python benchmarks peers install'")
    data = make_dataset(SHAPES[shape], dataset, seed)
    options = ["--shape", shape, "--batch", str(batch), "--seed", str(seed)]
    options += ["--dataset", str(dataset)] if dataset is not None else []
    with tempfile.TemporaryDirectory() as scratch, graph_cache() as env:
        folder = Path(scratch)
        write_pairs(data, folder)
        rows = [compare(name, folder, batch, venv, options, rounds, env) for name in only.split(",")]
    content: dict[str, Any] = {
        "ratio": next((row["ratio"] for row in rows if row["peer"] == "recbole-lightgcn"), None),
        "limit_ratio": None,
        "rows": rows,
        "failed_to_install": _failed(venv),
        "peer_versions": versions(venv),
        "shape": {"name": data.name, **data.counts(), "width": SHAPES[shape].width, "batch": batch, "dim": 64},
        "seed": seed,
    }
    report("peers", content, results_folder(quick, results))


def write_pairs(data: Dataset, folder: Path) -> None:
    """What the peers' processes read."""
    pairs = data.interactions
    np.savez(
        folder / "pairs.npz",
        user=pairs.user,
        item=pairs.item,
        split=pairs.split,
        features=data.features(FEATURE).matrix,
    )


def compare(
    peer: str, folder: Path, batch: int, venv: Path, options: list[str], rounds: int, env: dict[str, str]
) -> dict[str, Any]:
    """Let a peer and ours take turns; a peer that fails is a row with its error."""
    ours, what = PEERS[peer]
    say(f"{peer} against {ours}, {rounds} rounds")
    program = [str(venv.absolute() / "bin" / "python"), str(BENCHMARKS.absolute()), "peer_worker"]
    command = [*program, peer, str(folder), "--batch", str(batch), "--threads", str(torch.get_num_threads())]
    log = folder / f"{peer}.log"
    try:
        with log.open("w") as stream, Worker(command, env, stream, str(folder)) as theirs:
            mine = start([ours], options, env)[ours]
            with mine:
                calls = {ours: lambda: Measured(mine.run()), peer: lambda: Measured(theirs.run())}
                times = interleave(calls, rounds)
    except RuntimeError as error:
        reason = _last_error(log.read_text()) or str(error)
        say(f"  failed: {reason}")
        return {"what": what, "peer": peer, "ratio": None, "error": reason}
    return {
        "what": what,
        "peer": peer,
        "ratio": times[peer].median / times[ours].median,
        "seconds": {name: timing.as_json() for name, timing in times.items()},
        "peak_memory_gb": {
            name: worker.answers[-1]["peak_memory_gb"] for name, worker in ((ours, mine), (peer, theirs))
        },
    }


def versions(venv: Path) -> dict[str, str]:
    """Versions of the peers and of what they compute with."""
    names = [requirement.partition("==")[0] for requirement in (*LIBRARIES, *PINS, "torch")]
    code = (
        "import json, importlib.metadata as m\n"
        "known = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        f"print(json.dumps({{n: known[n] for n in {names} if n in known}}))"
    )
    done = subprocess.run([str(venv / "bin" / "python"), "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def _failed(venv: Path) -> dict[str, str]:
    note = venv / "failed.json"
    return dict(json.loads(note.read_text())) if note.exists() else {}


def _last_error(text: str) -> str:
    """The last line that tells something."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "notice" not in line]
    return lines[-1][:300] if lines else ""


if __name__ == "__main__":
    run_program(app)
