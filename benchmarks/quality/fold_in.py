"""Users whom nothing was trained of, found from their histories: every model against popularity and item-kNN.

    alignrec-geo data split data/tiktok --rule cold-users --out data/tiktok-cold-users
    python benchmarks fold_in data/tiktok-cold-users --features image,audio

Strong generalisation: a tenth of the users is held out for validation and another tenth for test. Of each of them 80 %
of the pairs are known when the user is folded in, and the rest is to be found among all other items. Each model is
trained with its defaults on the other users. The epoch is chosen on the validation users, and so are the settings of
item-kNN. A run that is there already is used.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from harness.data_sets import store_data_set
from harness.program import run_program
from torch import Tensor

from alignrec_geo import Dataset, load
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.evaluation.evaluator import Evaluation
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.topk import top_k
from alignrec_geo.models import MODELS
from alignrec_geo.models.base import Recommender
from alignrec_geo.serving.folding import Folding, fitted_folding
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.run_config import RunConfig

METRICS = ("recall@20", "ndcg@20")
NEIGHBOURS = (10, 50, 200)
POWERS = (0.0, 0.25, 0.5)
"""Of the popularity by which item-kNN divides: 0.5 is the cosine, less lets popular items win more often."""


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder, split by cold-users.")],
    models: Annotated[str, typer.Option(help="Comma-separated.")] = "bpr,lightgcn,vbpr,bm3,freedom,mgcn,alignrec",
    features: Annotated[str, typer.Option(help="Comma-separated, or none.")] = "image,text",
    seeds: int = 1,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, for all models.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run folders go.")] = Path("runs/fold-in"),
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")] = "fold-in",
) -> None:
    """Print the table, and add this data set's part to the stored result."""
    data = Dataset.open(dataset)
    names = [] if features == "none" else features.split(",")
    measured = Measured(data)
    rows: dict[str, Any] = {"popularity": measured.tables(MODELS["popularity"].from_dataset(data).embeddings())}
    if names:
        rows["content-knn"] = measured.model(MODELS["content-knn"].from_dataset(data, names))
    rows["item-knn"] = measured.item_knn()
    for model in models.split(","):
        for seed in range(seeds):
            given = {"dataset": str(dataset), "model": model, "features": names, "seed": seed}
            found = trained(RunConfig.resolve(given, settings or []), runs / data.name / f"{model}-{seed}")
            for variant, row in measured.variants(found).items():
                rows.setdefault(f"{model}{variant}", {"runs": []})["runs"].append(row)
            print(f"{model}, seed {seed}: {rows[model]['runs'][-1]['test']}", flush=True)
    measurements = {
        "features": names,
        "users": {part.label: len(found.users) for part, found in measured.evaluators.items()},
        "rows": rows,
    }
    store_data_set(name, data.name, measurements)
    print(table(rows))


class Measured:
    """Recall and NDCG of the held-out users of both splits.

    Args:
        data: split by cold-users.
    """

    def __init__(self, data: Dataset) -> None:
        pairs = data.interactions
        self.evaluators = {part: Evaluator(pairs, part, cutoffs=(20,)) for part in (Split.VALIDATION, Split.TEST)}
        history = pairs.of(Split.HISTORY)
        if not len(history):
            raise SystemExit("no user is held out; split with: data split --rule cold-users")
        self.history = pattern(history.user, history.item, (pairs.n_users, pairs.n_items))
        train = pairs.of(Split.TRAIN)
        self.train = pattern(train.user, train.item, (pairs.n_users, pairs.n_items))

    def tables(self, tables: Embeddings) -> dict[str, Any]:
        """What two tables reach."""
        return {part.label: summary(found(tables)) for part, found in self.evaluators.items()}

    def model(self, model: Recommender) -> dict[str, Any]:
        """What a model reaches with all users folded in."""
        return self.tables(Embeddings(model.fold_in(self.history), model.embeddings().items))

    def variants(self, model: Recommender) -> dict[str, Any]:
        """The model's own rule, the same with zero for what it learned of each user, and two that need tables only."""
        tables, n_items = model.embeddings(), self.train.shape[1]
        own = self.model(model)
        model.own_rows = lambda table: Folding(table.new_zeros(n_items, table.shape[1]), "mean")  # type: ignore[method-assign]
        return {
            "": own,
            ", own row zero": self.model(model),
            ", mean of the items": self.tables(Embeddings(Folding(tables.items, "mean")(self.history), tables.items)),
            ", regressed": self.tables(Embeddings(fitted_folding(tables, self.train)(self.history), tables.items)),
        }

    def item_knn(self) -> dict[str, Any]:
        """Item-based collaborative filtering from the training pairs; k and power are chosen on validation."""
        found = {}
        for choice in product(NEIGHBOURS, POWERS):
            similar = item_similarity(self.train, *choice)
            found[choice] = {
                part.label: summary(evaluator.measure(self._ranked(evaluator, similar)))
                for part, evaluator in self.evaluators.items()
            }
        best = max(found, key=lambda choice: found[choice]["validation"][METRICS[0]]["mean"])
        return {**found[best], "k": best[0], "power": best[1]}

    def _ranked(self, evaluator: Evaluator, similar: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for users in evaluator.users.split(256):
            row, item = self.history.entries(users)
            block = torch.sparse_coo_tensor(
                torch.stack([row, item]), torch.ones(len(row)), (len(users), similar.shape[0])
            )
            scores = torch.sparse.mm(block, similar).to_dense()
            scores[self.history.entries(users)] = -torch.inf
            yield users, *top_k(scores, evaluator.depth)


def item_similarity(train: CSR, k: int, power: float) -> Tensor:
    """Each item's ``k`` most similar others, sparse ``[I, I]``, made in blocks.

    Users in common over the root of the item's own popularity and the ``power`` of the other's.
    """
    (item, user), _ = train.edges()
    degree = torch.bincount(item, minlength=train.shape[1]).clamp(min=1).float()
    value = degree[item].rsqrt()
    unit = torch.sparse_coo_tensor(torch.stack([item, user]), value, (train.shape[1], train.shape[0])).coalesce()
    factor = torch.bincount(item, minlength=train.shape[1]).clamp(min=1).float() ** (0.5 - power)
    places, values = [], []
    for first in range(0, train.shape[1], 512):
        rows = torch.arange(first, min(first + 512, train.shape[1]))
        block = torch.sparse.mm(unit, unit.index_select(0, rows).to_dense().T).T.contiguous()  # [b, I]
        block = block * factor
        block[torch.arange(len(rows)), rows] = 0.0
        best, column = block.topk(min(k, block.shape[1]), dim=1)
        places.append(torch.stack([rows[:, None].expand_as(column).flatten(), column.flatten()]))
        values.append(best.flatten())
    size = (train.shape[1], train.shape[1])
    return torch.sparse_coo_tensor(torch.cat(places, dim=1), torch.cat(values), size).coalesce()


def trained(config: RunConfig, out: Path) -> Recommender:
    """The model of a run, trained if it is not there yet."""
    if not (out / "result.json").exists():
        fit_config(config, out, overwrite=True)
    return load(out)


def pattern(user: Any, item: Any, shape: tuple[int, int]) -> CSR:
    return CSR.pattern(torch.from_numpy(user), torch.from_numpy(item), shape)


def summary(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Mean over users and its standard error, by metric."""
    values = {name: evaluation.per_user[name] for name in METRICS}
    return {
        name: {"mean": float(part.mean()), "standard_error": float(part.std() / len(part) ** 0.5)}
        for name, part in values.items()
    }


def table(rows: dict[str, Any]) -> str:
    """The table for people: means over the runs, with the standard error over users."""
    lines = []
    for label, row in rows.items():
        runs = row.get("runs", [row])
        cells = []
        for split in ("validation", "test"):
            for metric in METRICS:
                mean = sum(run[split][metric]["mean"] for run in runs) / len(runs)
                cells.append(f"{mean:.4f} ± {runs[0][split][metric]['standard_error']:.4f}")
        lines.append(f"{label:32} {'   '.join(cells)}")
    return "\n".join(lines)


if __name__ == "__main__":
    run_program(main)
