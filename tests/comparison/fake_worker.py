"""Stands in for the worker: the same files and the same lifeline, without training (and without loading torch).

What it writes depends on the configuration alone. ``FAKE_EPOCH`` is the seconds an epoch takes, ``FAKE_EPOCHS`` how
many there are; validation grows evenly from epoch to epoch. A model setting
``dim=13`` fails unless ``FAKE_CURE`` is set, ``dim=14`` dies without a word, ``dim=15`` does so the first time.
"""

import json
import os
import sys
import threading
import time
import zlib
from pathlib import Path

import yaml

EPOCHS = 3


def main() -> None:
    folder, test = Path(sys.argv[1]), "--no-test" not in sys.argv
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(f"started as process {os.getpid()}", flush=True)
    text = (folder / "config.yaml").read_text()
    config = yaml.safe_load(text)
    dim = config["parameters"].get("dim")
    if dim == 13 and "FAKE_CURE" not in os.environ:
        (folder / "error.json").write_text(json.dumps({"error": "loss term 'bpr' became nan in epoch 0"}))
        sys.exit(1)
    if dim == 14 or (dim == 15 and (folder / "worker.log").read_text().count("started") == 1):
        os.kill(os.getpid(), 9)
    value = zlib.crc32(text.encode()) / 2**32
    log, epochs = folder / "metrics.jsonl", int(os.environ.get("FAKE_EPOCHS", EPOCHS))
    while (done := len(log.read_text().splitlines()) if log.exists() else 0) < epochs:
        time.sleep(float(os.environ.get("FAKE_EPOCH", "0")))
        until = value * (done + 1) / epochs
        record = {"epoch": done, "loss": {}, "validation": {"recall@20": until, "ndcg@20": until / 2}, "seconds": 0.5}
        with log.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
    metrics = {"recall@20": value, "ndcg@20": value / 2}
    content = {
        "metrics": metrics if test else {},
        "validation": metrics,
        "best_epoch": 1,
        "epochs": epochs,
        "seconds": 1.5,
    }
    write(folder / "result.json", content)
    if test:
        import polars as pl  # for which trials do not wait

        users = {"user": [f"u{n}" for n in range(8)]}
        values = {name: [mean * (1 + 0.01 * n) for n in range(8)] for name, mean in metrics.items()}
        pl.DataFrame({**users, **values}).write_parquet(folder / "per_user.parquet")
        write(folder / "groups.json", {"users": {}, "items": {}})
    cost = {"peak_memory_mb": 1.0, "seconds": 1.5, "seconds_per_epoch": 0.5, "seconds_to_best": 1.0, "parameters": 9}
    write(folder / "cost.json", cost)
    print("finished", flush=True)


def write(path: Path, value: dict) -> None:
    staging = path.with_suffix(".part")
    staging.write_text(json.dumps(value))
    os.replace(staging, path)


def end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(75)


if __name__ == "__main__":
    main()
