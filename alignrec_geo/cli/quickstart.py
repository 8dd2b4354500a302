"""``alignrec-geo quickstart``: the whole system once, on a generated catalogue."""

import time
from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr

SHOWN = ("recall@20", "ndcg@20")
EPOCHS = 80
"""Enough for the catalogue: validation peaks well before."""


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for the data set and the runs.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the catalogue and of training.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Generate a catalogue with pictures and captions, train AlignRec on it, and compare with simpler models.

    Example: alignrec-geo quickstart --out runs/quickstart

    Nothing is downloaded. The folder afterwards holds the data set (catalogue) and one run folder per model.
    """
    started = time.perf_counter()
    import torch

    from alignrec_geo.cli.train import run_training
    from alignrec_geo.dataset.catalogue import make_catalogue
    from alignrec_geo.serving.store import load_top_items
    from alignrec_geo.training.run_config import RunConfig

    torch.set_num_threads(1)  # so small a model gains nothing from threads, and loses much on a busy machine
    stderr.print("generating a catalogue: items with a picture and a caption, users with a taste for both")
    data = make_catalogue(seed=seed).save(out / "catalogue", overwrite=True)
    variants = {
        "popularity": ("popularity", []),
        "id_only": ("alignrec", []),
        "alignrec": ("alignrec", ["image", "text"]),
    }
    rows = {}
    for name, (model, features) in variants.items():
        stderr.print(f"training {name}")
        config = RunConfig.resolve(
            {"dataset": str(data.path), "model": model, "features": features, "seed": seed},
            [f"epochs={EPOCHS}", "lr=0.005"],
        )
        metrics = run_training(config, out / name, overwrite=True).metrics
        rows[name] = {key: metrics[key] for key in SHOWN}
    user = data.users["id"][0]
    top = load_top_items(out / "alignrec").recommend([user])[user]
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        recommended = {user: [item._asdict() for item in top]}
        print_json({"rows": rows, "seconds": seconds, "run": str(out / "alignrec"), "users": recommended})
        return
    table = [[name, *(f"{values[key]:.4f}" for key in SHOWN)] for name, values in rows.items()]
    print_table("generated catalogue, test, protocol clean", ["model", *SHOWN], table)
    print_table(
        f"ten titles for {user}", ["title", "item", "score"], [[i.title or "", i.item, f"{i.score:.3f}"] for i in top]
    )
    stderr.print(
        f"{seconds} s; run folder {out / 'alignrec'}; try: alignrec-geo similar {out / 'alignrec'} --item {top[0].item}"
    )
