"""One training epoch of another library, in that library's environment (started by ``peers.py``).

    PEERS/bin/python benchmarks peer_worker recbole-lightgcn /tmp/data

The folder holds ``pairs.npz`` (user, item, split and, for VBPR, features). Libraries are used through their own API,
with the same batch and dimension where they have them; nothing of theirs is changed. Imports nothing of this project.
"""

import argparse
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.workers import serve

DIM = 64
Run = Callable[[], float]


def recbole(model_name: str, settings: dict[str, Any]) -> Callable[[Path, int, int], Run]:
    """One call of RecBole's ``Trainer._train_epoch``: its own sampling, batches and steps, no evaluation."""

    def make(folder: Path, batch: int, threads: int) -> Run:
        import torch
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import get_model, get_trainer, init_seed

        torch.set_num_threads(threads)
        _write_recbole(folder)
        config = Config(
            model=model_name,
            dataset="bench",
            config_dict={
                "data_path": str(folder),
                "benchmark_filename": ["train", "valid", "test"],
                "load_col": {"inter": ["user_id", "item_id"]},
                "train_batch_size": batch,
                "embedding_size": DIM,
                "learning_rate": 0.001,
                "use_gpu": False,
                "seed": 0,
                "checkpoint_dir": str(folder / "saved"),
                "show_progress": False,
                **settings,
            },
        )
        init_seed(config["seed"], reproducibility=False)
        train_data, _, _ = data_preparation(config, create_dataset(config))
        model = get_model(config["model"])(config, train_data._dataset).to(config["device"])
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        return lambda: _timed(lambda: trainer._train_epoch(train_data, 0, show_progress=False))

    return make


def implicit_bpr(folder: Path, batch: int, threads: int) -> Run:
    """One iteration of implicit's BPR: SGD over as many sampled triplets as there are pairs, without batches.

    ``fit`` also initialises, so an epoch is a fiftieth of what 51 iterations take more than one.
    """
    from implicit.bpr import BayesianPersonalizedRanking
    from scipy.sparse import csr_matrix

    user, item, _ = _training_pairs(folder)
    matrix = csr_matrix((np.ones(len(user), dtype=np.float32), (user, item)))

    def fit(iterations: int) -> Callable[[], None]:
        model = BayesianPersonalizedRanking(
            factors=DIM, iterations=iterations, learning_rate=0.01, num_threads=threads, random_state=0
        )
        return lambda: model.fit(matrix, show_progress=False)

    return lambda: (_timed(fit(51)) - _timed(fit(1))) / 50


def cornac_vbpr(folder: Path, batch: int, threads: int) -> Run:
    """One epoch of cornac's VBPR (torch): what two epochs take more than one."""
    import cornac
    import torch
    from cornac.data import Dataset, ImageModality

    torch.set_num_threads(threads)
    user, item, features = _training_pairs(folder)
    train = Dataset.from_uir(
        [(f"u{u}", f"i{i}", 1.0) for u, i in zip(user.tolist(), item.tolist(), strict=True)], seed=0
    )
    modality = ImageModality(features=features, ids=[f"i{row}" for row in range(len(features))], normalized=True)
    train.add_modalities(item_image=modality.build(id_map=train.iid_map))

    def fit(epochs: int) -> Callable[[], None]:
        model = cornac.models.VBPR(k=DIM, k2=DIM, n_epochs=epochs, batch_size=batch, verbose=False, seed=0)
        return lambda: model.fit(train)

    return lambda: _timed(fit(2)) - _timed(fit(1))


PEERS: dict[str, Callable[[Path, int, int], Run]] = {
    "recbole-lightgcn": recbole("LightGCN", {"n_layers": 3, "reg_weight": 1e-4}),
    "recbole-bpr": recbole("BPR", {}),
    "implicit-bpr": implicit_bpr,
    "cornac-vbpr": cornac_vbpr,
}


def _training_pairs(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(folder / "pairs.npz", allow_pickle=False) as stored:
        train = stored["split"] == 0
        return stored["user"][train], stored["item"][train], stored["features"]


def _write_recbole(folder: Path) -> None:
    """RecBole's atomic files of a given split."""
    target = folder / "bench"
    target.mkdir(exist_ok=True)
    with np.load(folder / "pairs.npz", allow_pickle=False) as stored:
        for number, name in enumerate(("train", "valid", "test")):
            rows = stored["split"] == number
            pairs = zip(stored["user"][rows].tolist(), stored["item"][rows].tolist(), strict=True)
            lines = ["user_id:token\titem_id:token", *(f"u{user}\ti{item}" for user, item in pairs)]
            (target / f"bench.{name}.inter").write_text("\n".join(lines) + "\n")


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    with contextlib.redirect_stdout(None):
        call()
    return time.perf_counter() - started


def main() -> None:
    """Hold one peer and run an epoch of it once per line of standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    serve(lambda: PEERS[given.peer](given.folder, given.batch, given.threads), {"peer": given.peer})


if __name__ == "__main__":
    main()
