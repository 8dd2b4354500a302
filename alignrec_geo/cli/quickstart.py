"""``alignrec-geo quickstart``: the whole system once, on a generated catalogue."""

import time
from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_held_out, print_json, print_table, stderr

VARIANTS: dict[str, tuple[str, list[str]]] = {
    "popularity": ("popularity", []),
    "id_only": ("alignrec", []),
    "alignrec": ("alignrec", ["image", "text"]),
    "alignrec_aligned": ("alignrec", ["image", "text", "aligned"]),
}
"""Model and features of each run."""
SHOWN = ("recall@20", "ndcg@20")
EPOCHS = 80
"""Enough for the catalogue: validation peaks well before."""
STAGE_ONE = ("epochs=40", "batch_size=32", "lr=0.005", "dim=48", "layers=2", "heads=2", "image_target=pixels")
"""A BEiT-3 small enough to learn images and captions from scratch in half a minute."""


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for the data set and the runs.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the catalogue and of training.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Generate a catalogue with images and captions, train AlignRec on it, and compare with simpler models.

    Example: alignrec-geo quickstart --out runs/quickstart

    Stage 1 learns aligned vectors of images and captions from scratch, stage 2 trains with and without them. Nothing
    is downloaded. The folder afterwards holds the data set (catalogue) and one run folder per
    model, each with its report.html.
    """
    started = time.perf_counter()
    import torch

    from alignrec_geo.cli.pretrain import run_pretrain
    from alignrec_geo.cli.pretrain_task import Sources
    from alignrec_geo.cli.train import run_training
    from alignrec_geo.dataset.catalogue import make_catalogue
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.explaining.score_parts import score_parts
    from alignrec_geo.folders import folder_target
    from alignrec_geo.reporting.run_report import write_run_report
    from alignrec_geo.serving.store import load_top_items
    from alignrec_geo.training.run_config import RunConfig
    from alignrec_geo.training.run_folder import RUN

    folder_target(out / "catalogue", DATA_SET, overwrite=True)
    for name in VARIANTS:
        folder_target(out / name, RUN, overwrite=True)
    torch.set_num_threads(1)  # so small a model gains nothing from threads, and loses much on a busy machine
    stderr.print("generating a catalogue: items with an image and a caption, users with a taste for both")
    data = make_catalogue(seed=seed).save(out / "catalogue", overwrite=True)
    stderr.print("stage 1: hiding words and patches, and predicting them from the rest")
    settings = [*STAGE_ONE, "precision=float32"]
    learned = run_pretrain(out / "catalogue", "beit3-tiny", Sources(), settings, name="aligned", seed=seed)
    rows = {}
    for name, (model, features) in VARIANTS.items():
        stderr.print(f"stage 2: training {name}")
        config = RunConfig.resolve(
            {"dataset": str(data.path), "model": model, "features": features, "seed": seed},
            [f"epochs={EPOCHS}", "lr=0.005"],
        )
        trained, result = run_training(config, out / name, overwrite=True)
        write_run_report(out / name, score_parts(trained))
        rows[name] = {key: result.metrics[key] for key in SHOWN}
    best = out / "alignrec_aligned"
    user = data.users["id"][0]
    top = load_top_items(best).recommend([user])[user]
    held_out = learned.result.history[-1]["held_out"]
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        recommended = {user: [item._asdict() for item in top]}
        print_json(
            {
                "rows": rows,
                "held_out": held_out,
                "seconds": seconds,
                "run": str(best),
                "users": recommended,
            }
        )
        return
    print_held_out(held_out, len(learned.result.held_out))
    table = [[name, *(f"{values[key]:.4f}" for key in SHOWN)] for name, values in rows.items()]
    print_table("generated catalogue, test, protocol clean", ["model", *SHOWN], table)
    print_table(
        f"ten titles for {user}", ["title", "item", "score"], [[i.title or "", i.item, f"{i.score:.3f}"] for i in top]
    )
    stderr.print(f"{seconds} s; look at {best / 'report.html'}", soft_wrap=True)
    stderr.print(f"try: alignrec-geo similar {best} --item {top[0].item}", soft_wrap=True)
