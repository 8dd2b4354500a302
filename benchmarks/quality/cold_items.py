"""Items that nobody has interacted with: what their content alone is worth.

    alignrec-geo data split data/ml-1m --rule cold-items --out data/ml-1m-cold
    python benchmarks cold_items data/ml-1m-cold --epochs 6 --set lr=0.003 --set-alignrec train_features=false

The split holds out all pairs of a tenth of the items for validation and of another tenth for test. AlignRec and
LightGCN are trained on the rest, the same number of epochs; a run that is there already is used. Every variant of the
content rule is measured on validation, the rule itself on test.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program
from torch import Tensor

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.evaluation.evaluator import Evaluation
from alignrec_geo.files import write_json
from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.models.stored import load
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving import NeighbourMean
from alignrec_geo.serving.candidates import Candidates

METRIC, CUTOFF = "recall@20", 20


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder, split by cold-items.")],
    features: str = "image,text",
    k: Annotated[int, typer.Option(help="Content neighbours per item.")] = 10,
    epochs: int = 6,
    seed: int = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value of training, for both models.")] = None,
    alignrec_settings: Annotated[list[str] | None, typer.Option("--set-alignrec", help="For AlignRec only.")] = None,
    runs: Annotated[Path, typer.Option(help="Where the run folders go.")] = Path("runs/cold-items"),
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")] = "cold-items",
) -> None:
    """Print the table, and store it."""
    data, names = Dataset.open(dataset), features.split(",")
    # no cold item may choose the epoch: only the last one is validated
    options = ["--seed", str(seed), *assignments([f"epochs={epochs}", f"eval_every={epochs}", *(settings or [])])]
    content_options = ["--model", "alignrec", "--features", features, *assignments(alignrec_settings or [])]
    alignrec = trained(dataset, runs / "alignrec", [*options, *content_options])
    lightgcn = trained(dataset, runs / "lightgcn", [*options, "--model", "lightgcn"])
    ranking = ColdRanking(data, Split.TEST)
    rows = {
        "content rule on AlignRec": ranking.of(by_content(alignrec, data, names, k)),
        "content rule on LightGCN": ranking.of(by_content(lightgcn, data, names, k)),
        "AlignRec's own tables": ranking.of(alignrec),
        "LightGCN's own tables": ranking.of(lightgcn),
        "popularity": popularity(data, ranking, seed),
        "chance": ranking.chance(),
    }
    tuning = ColdRanking(data, Split.VALIDATION)
    chosen = {label: tuning.of(variant(alignrec, data, names, k, **options)) for label, options in VARIANTS.items()} | {
        f"the rule, k = {n}": tuning.of(by_content(alignrec, data, names, n)) for n in (5, 10, 20)
    }
    content: dict[str, Any] = {
        "name": name,
        "command": command(),
        "dataset": data.name,
        "features": names,
        "items": {"all": data.interactions.n_items, "cold": int(ranking.cold.sum()), "test": len(ranking.items)},
        "users": len(ranking.evaluator.users),
        "metric": METRIC,
        "test": rows,
        "validation": {**chosen, "chance": tuning.chance()},
        "machine": machine(),
    }
    write_json(RESULTS / f"{name}.json", content)
    for part in ("test", "validation"):
        print(f"{part:42} all items ± s.e.   cold only ± s.e.   cold in top 20")
        for label, row in content[part].items():
            cells = [f"{row[key]['mean']:.4f} ± {row[key]['standard_error']:.4f}" for key in ("all", "cold_only")]
            print(f"{label:42} {'    '.join(cells)}    {row['cold_in_top']:.3f}")


class ColdRanking:
    """Recall of the held-out items of a split, ranked among all items and among themselves.

    Args:
        dataset: split by cold-items.
        split: whose items are to be found.
    """

    def __init__(self, dataset: Dataset, split: Split) -> None:
        pairs = dataset.interactions
        self.evaluator = Evaluator(pairs, split, cutoffs=(CUTOFF,))
        self.cold = torch.from_numpy(pairs.of(Split.TRAIN).item_degree() == 0)
        self.items = torch.nonzero(torch.from_numpy(pairs.of(split).item_degree() > 0))[:, 0]
        if not self.cold[self.items].all():
            raise SystemExit(f"the {split.label} items have training pairs; split with: data split --rule cold-items")

    def of(self, tables: Embeddings) -> dict[str, Any]:
        """Mean and standard error over users of both rankings, and the share of cold items in the best 20 of all."""
        blocks = list(blocked_top_k(*tables, self.evaluator.users, CUTOFF, self.evaluator.masked))
        top = torch.cat([items for _, _, items in blocks])
        return {
            "all": summary(self.evaluator.measure(blocks)),
            "cold_only": summary(self.evaluator.measure(self._among_themselves(tables))),
            "cold_in_top": float(self.cold[top].double().mean()),
        }

    def chance(self) -> dict[str, Any]:
        """What random scores are expected to reach."""
        masked = torch.diff(self.evaluator.masked.matrix.crow_indices())[self.evaluator.users]
        expected = (CUTOFF / (len(self.cold) - masked).double()).clamp(max=1)
        return {
            "all": {"mean": float(expected.mean()), "standard_error": 0.0},
            "cold_only": {"mean": min(1.0, CUTOFF / len(self.items)), "standard_error": 0.0},
            "cold_in_top": float((self.cold.sum() / (len(self.cold) - masked)).mean()),
        }

    def _among_themselves(self, tables: Embeddings) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for users, scores, items in blocked_top_k(tables.users, tables.items[self.items], self.evaluator.users, CUTOFF):
            yield users, scores, self.items[items]


def by_content(tables: Embeddings, data: Dataset, features: list[str], k: int) -> Embeddings:
    """The tables with every cold item's vector made from its content."""
    own = NeighbourMean(tables, data, features, k).own()
    return Embeddings(tables.users, Candidates.trained(tables, data).with_cold(own).vectors)


VARIANTS: dict[str, dict[str, Any]] = {
    "mean of the neighbours, as it is": {"restore": "no"},
    "… with the neighbours' length": {"restore": "length"},
    "… plain mean instead of weights": {"weighted": False},
    "… content not centred": {"centred": False},
    "… rows joined, then of length 1": {"joined": True},
}
"""What the rule was chosen from; each differs from it in one point."""


def variant(
    tables: Embeddings,
    data: Dataset,
    features: list[str],
    k: int,
    centred: bool = True,
    joined: bool = False,
    weighted: bool = True,
    restore: str = "offset",
) -> Embeddings:
    """Another rule than :class:`NeighbourMean`: for a data set whose cold×warm matrix fits into memory."""
    warm = torch.from_numpy(data.interactions.of(Split.TRAIN).item_degree() > 0)
    columns = []
    for name in features:
        stored = data.features(name)
        x, present = torch.from_numpy(stored.matrix), torch.from_numpy(stored.present)
        x = x - x[present & warm].mean(dim=0) if centred else x
        columns.append(F.normalize(x, dim=1) * present[:, None])
    content = torch.cat(columns, dim=1)
    content = F.normalize(content, dim=1) if joined else content
    similarity, place = (content[~warm] @ content[warm].T).topk(k, dim=1)
    weight = F.normalize(similarity.clamp(min=1e-6) if weighted else torch.ones_like(similarity), p=1, dim=1)
    around = tables.items[warm].mean(dim=0) if restore == "offset" else torch.zeros(tables.items.shape[1])
    offsets = tables.items[warm][place] - around  # [n, k, d]
    mean = (weight[:, :, None] * offsets).sum(dim=1)
    if restore != "no":
        mean = F.normalize(mean, dim=1) * (weight * offsets.norm(dim=2)).sum(dim=1, keepdim=True)
    items = tables.items.clone()
    items[~warm] = around + mean
    return Embeddings(tables.users, items)


def popularity(data: Dataset, ranking: ColdRanking, seed: int, orders: int = 20) -> dict[str, Any]:
    """Training interactions, equal ones in an order that all users share; the mean over random orders."""
    degree = torch.from_numpy(data.interactions.of(Split.TRAIN).item_degree()).double()
    generator = child_generator(seed, "ties")
    rows = []
    for _ in range(orders):
        scores = degree + torch.rand(len(degree), generator=generator, dtype=torch.double) / 2
        rows.append(ranking.of(Embeddings(torch.ones(data.interactions.n_users, 1).double(), scores[:, None])))
    means = {key: torch.tensor([row[key]["mean"] for row in rows]) for key in ("all", "cold_only")}
    return {
        **{
            key: {"mean": float(part.mean()), "standard_error": float(part.std() / orders**0.5)}
            for key, part in means.items()
        },
        "cold_in_top": sum(row["cold_in_top"] for row in rows) / orders,
    }


def summary(evaluation: Evaluation) -> dict[str, float]:
    """Mean over users and its standard error."""
    values = evaluation.per_user[METRIC]
    return {"mean": float(values.mean()), "standard_error": float(values.std() / len(values) ** 0.5)}


def assignments(settings: list[str]) -> list[str]:
    """Settings as options of the train verb."""
    return [part for setting in settings for part in ("--set", setting)]


def trained(dataset: Path, out: Path, options: list[str]) -> Embeddings:
    """The tables of a run, trained if it is not there yet."""
    if not (out / "result.json").exists():
        command = [sys.executable, "-m", "alignrec_geo.cli.app", "train", str(dataset), "--out", str(out), *options]
        subprocess.run([*command, "--overwrite"], check=True)
    return load(out, dataset).embeddings()  # without the vectors from content that a run folder holds


if __name__ == "__main__":
    run_program(main)
