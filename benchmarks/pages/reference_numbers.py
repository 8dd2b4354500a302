"""What the reference code reached on TikTok: image and audio vectors, protocol mmrec, patience 20, on one core."""

from typing import NamedTuple


class Runs(NamedTuple):
    """The runs of one model.

    Args:
        runs: test Recall@20 and NDCG@20 of each, the first with seed 999, the second with 2024.
        seconds: per training epoch on one core, where known.
        note: how the runs ended.
    """

    runs: tuple[tuple[float, float], ...]
    seconds: float
    note: str = ""


REFERENCE = {
    "bpr": Runs(((0.0483, 0.0214),), 0.44),
    "lightgcn": Runs(((0.0922, 0.0419), (0.0764, 0.0320)), 1.7, "the second stopped early"),
    "vbpr": Runs(((0.0214, 0.0084),), 0.9, "raw features"),
    "bm3": Runs(((0.0620, 0.0249), (0.0771, 0.0325)), 3.2, "the first stopped in a dip, the second was still rising"),
    "freedom": Runs(((0.0885, 0.0385), (0.0945, 0.0396)), 2.2),
    "mgcn": Runs(((0.1074, 0.0453),), 7.2),
    "slmrec": Runs(((0.0975, 0.0395),), 10.0, "cut at epoch 65"),
    "grcn": Runs(((0.0745, 0.0307),), 21.0, "cut at epoch 39, still rising"),
    "dualgnn": Runs(((0.0609, 0.0242),), 15.0),
    "lattice": Runs(((0.0666, 0.0311),), 11.0, "cut at epoch 29, still rising"),
    "mmgcn": Runs(((0.0846, 0.0282),), 21.0, "cut at epoch 5"),
    "alignrec": Runs(((0.1128, 0.0472), (0.1120, 0.0471)), 7.5),
}
"""By our names of the models."""
