"""AlignRec as one would first write it: the yardstick of the speed benchmarks.

The same mathematics as ``alignrec_geo.models.AlignRec``, in the plainest torch: COO products layer by layer, whole
batch×batch matrices, Python loops for negatives and metrics, one forward per batch of evaluated users.
"""

import math
import random
from collections.abc import Iterator
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.evaluation.metrics import CUTOFFS
from alignrec_geo.models import AlignRec, AlignRecConfig, Batch

LARGEST_DIFFERENCE = 1e-4
"""Relative, of loss terms and gradients."""


class NaiveAlignRec(nn.Module):
    """AlignRec's stage 2 by its formulas.

    Args:
        edge_index: training pairs, ``[2, E]``.
        n_users: ``U``.
        n_items: ``I``.
        x: content vectors ``[I, D]``; ``None`` leaves the ID branch.
        similar: ``edge_index`` and ``edge_weight`` of the item graph, row 0 the neighbour.
        config: the settings of the other implementation.
    """

    adjacency: Tensor
    interactions: Tensor
    similarity: Tensor
    initial: Tensor

    def __init__(
        self,
        edge_index: Tensor,
        n_users: int,
        n_items: int,
        x: Tensor | None,
        similar: tuple[Tensor, Tensor] | None,
        config: AlignRecConfig,
    ) -> None:
        super().__init__()
        self.config, self.n_users, self.n_items = config, n_users, n_items
        self.user_embedding = nn.Parameter(torch.empty(n_users, config.dim))
        self.item_embedding = nn.Parameter(torch.empty(n_items, config.dim))
        nn.init.xavier_uniform_(self.user_embedding)
        nn.init.xavier_uniform_(self.item_embedding)
        user, item = edge_index
        size = n_users + n_items
        degree = torch.bincount(torch.cat([user, item + n_users]), minlength=size).double()
        weight = (degree[user] * degree[item + n_users]).rsqrt().float()
        both = torch.stack([torch.cat([user, item + n_users]), torch.cat([item + n_users, user])])
        self.register_buffer("adjacency", _coo(both, weight.repeat(2), (size, size)))
        if x is not None and similar is not None:
            self.register_buffer("interactions", _coo(edge_index, weight, (n_users, n_items)))
            self.register_buffer("similarity", _coo(similar[0].flip(0), similar[1], (n_items, n_items)))
            self.content = nn.Parameter(x.clone(), requires_grad=config.train_features)
            self.register_buffer("initial", x.clone())
            self.projection = nn.Linear(x.shape[1], config.dim)
            self.gate = nn.Linear(config.dim, config.dim)
        self.has_content = x is not None

    def forward(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the fused, the identity and the content embeddings of all nodes, ``[N, d]`` each."""
        layers = [torch.cat([self.user_embedding, self.item_embedding])]
        for _ in range(self.config.layers):
            layers.append(torch.sparse.mm(self.adjacency, layers[-1]))
        identity = torch.stack(layers, dim=1).mean(dim=1)
        if not self.has_content:
            return identity, identity, None
        items = self.item_embedding * torch.sigmoid(self.gate(self.projection(self.content)))
        for _ in range(self.config.item_layers):
            items = torch.sparse.mm(self.similarity, items)
        content = torch.cat([torch.sparse.mm(self.interactions, items), items])
        return identity + content, identity, content

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named terms, weighted."""
        config = self.config
        fused, identity, content = self.forward()
        positives, negatives = batch.positives + self.n_users, batch.negatives + self.n_users
        user, positive, negative = fused[batch.users], fused[positives], fused[negatives]
        margin = (user * positive).sum(dim=1) - (user * negative).sum(dim=1)
        squares = user.pow(2).sum() + positive.pow(2).sum() + negative.pow(2).sum()
        terms = {
            "bpr": -F.logsigmoid(margin).mean(),
            "l2": config.l2_weight * 0.5 * squares / batch.nominal_size,
            "uia": config.uia_weight * (1 - F.cosine_similarity(user, positive).mean()),
        }
        if content is not None:
            alignment = self._infonce(content[positives], identity[positives])
            alignment = alignment + self._infonce(content[batch.users], identity[batch.users])
            terms["cca"] = config.cca_weight * alignment
            current = self.content.detach() if config.anchor == "current" else self.initial
            anchor = F.normalize(current[batch.positives], dim=1)
            gap = content[positives] @ content[positives].T - anchor @ anchor.T  # [B, B]
            terms["reg"] = config.reg_weight * gap.norm() / len(gap)
        return terms

    def _infonce(self, query: Tensor, key: Tensor) -> Tensor:
        logits = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / self.config.temperature  # [B, B]
        return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


class NaiveSampler:
    """Shuffled training pairs, each with a negative drawn by ``random.randint`` until it is none of the user's items.

    Args:
        interactions: all pairs.
        batch_size: triplets per batch.
        seed: of Python's generator.
    """

    def __init__(self, interactions: Interactions, batch_size: int, seed: int = 0) -> None:
        train = interactions.of(Split.TRAIN)
        self.pairs = list(zip(train.user.tolist(), train.item.tolist(), strict=True))
        self.items = sorted({item for _, item in self.pairs})
        self.seen: dict[int, set[int]] = {}
        for user, item in self.pairs:
            self.seen.setdefault(user, set()).add(item)
        self.batch_size = batch_size
        self.random = random.Random(seed)

    def epoch(self) -> Iterator[Batch]:
        """Draw one epoch batch by batch."""
        self.random.shuffle(self.pairs)
        for start in range(0, len(self.pairs), self.batch_size):
            users, positives, negatives = [], [], []
            for user, item in self.pairs[start : start + self.batch_size]:
                negative = self.items[self.random.randint(0, len(self.items) - 1)]
                while negative in self.seen[user]:
                    negative = self.items[self.random.randint(0, len(self.items) - 1)]
                users.append(user)
                positives.append(item)
                negatives.append(negative)
            yield Batch(torch.tensor(users), torch.tensor(positives), torch.tensor(negatives), self.batch_size)


class NaiveEvaluator:
    """All metrics of a split, batch of users by batch, user by user; training items are left out.

    Args:
        interactions: all pairs.
        split: which pairs are to be found.
        batch_size: users per batch; the forward is computed anew for each.
    """

    def __init__(self, interactions: Interactions, split: Split, batch_size: int = 4096) -> None:
        self.batch_size = batch_size
        self.seen: dict[int, list[int]] = {}
        self.wanted: dict[int, list[int]] = {}
        for part, table in ((Split.TRAIN, self.seen), (split, self.wanted)):
            pairs = interactions.of(part)
            for user, item in zip(pairs.user.tolist(), pairs.item.tolist(), strict=True):
                table.setdefault(user, []).append(item)
        self.users = sorted(user for user in self.wanted if user in self.seen)

    @torch.no_grad()
    def __call__(self, model: NaiveAlignRec) -> dict[str, float]:
        """Return the mean of every metric, named as the package names them."""
        hits: list[list[bool]] = []
        for start in range(0, len(self.users), self.batch_size):
            batch = self.users[start : start + self.batch_size]
            fused = model()[0]
            scores = fused[batch] @ fused[model.n_users :].T  # [b, I]
            rows = [row for row, user in enumerate(batch) for _ in self.seen[user]]
            scores[rows, [item for user in batch for item in self.seen[user]]] = -1e10
            best = scores.topk(min(max(CUTOFFS), scores.shape[1]), dim=1).indices.tolist()
            hits += [[item in self.wanted[user] for item in row] for user, row in zip(batch, best, strict=True)]
        positives = [len(self.wanted[user]) for user in self.users]
        ranked = [_ndcg_and_map(row, count) for row, count in zip(hits, positives, strict=True)]
        found = torch.tensor(hits).double().cumsum(dim=1)
        metrics = {}
        for place, k in enumerate(CUTOFFS):
            count = found[:, min(k, found.shape[1]) - 1]
            metrics[f"recall@{k}"] = float((count / torch.tensor(positives)).mean())
            metrics[f"precision@{k}"] = float((count / k).mean())
            metrics[f"ndcg@{k}"] = sum(ndcg[place] for ndcg, _ in ranked) / len(ranked)
            metrics[f"map@{k}"] = sum(precision[place] for _, precision in ranked) / len(ranked)
        return metrics


def naive_knn(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` most similar rows of every row by cosine, from the whole similarity matrix."""
    unit = F.normalize(x, dim=1)
    similarity, neighbour = (unit @ unit.T).topk(k, dim=1)
    return similarity, neighbour


def naive_twin(model: AlignRec) -> NaiveAlignRec:
    """The naive model on the graph of ``model``, with the same parameters."""
    if model.features:
        pairs = model.item_to_user.edges()[0].flip(0)
    else:
        nodes = model.user_item_graph.edges()[0]
        pairs = nodes[:, nodes[0] < model.n_users] - torch.tensor([[0], [model.n_users]])
    content = model.content.detach() if model.features else None
    twin = NaiveAlignRec(
        pairs, model.n_users, model.n_items, content, model.item_graph.edges() if model.features else None, model.config
    )
    copy_parameters(model, twin)
    return twin


def copy_parameters(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters by name.

    Raises:
        ValueError: the names differ.
    """
    given, wanted = dict(source.named_parameters()), dict(target.named_parameters())
    if given.keys() != wanted.keys():
        raise ValueError(f"parameters differ: {sorted(given)} and {sorted(wanted)}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(given[name])


def check_same(model: AlignRec, twin: NaiveAlignRec, batch: Batch) -> float:
    """Check that loss terms and gradients of both agree, and return the largest relative difference.

    The naive side is computed in double precision here: its float32 norm of a 2048×2048 matrix alone is off by 1e-4.

    Raises:
        AssertionError: one differs by more than ``LARGEST_DIFFERENCE``.
    """
    differences = {}
    oracle = deepcopy(twin).double()
    ours, theirs = model.loss(batch), oracle.loss(batch)
    if ours.keys() != theirs.keys():
        raise AssertionError(f"terms differ: {sorted(ours)} and {sorted(theirs)}")
    for name in ours:
        differences[name] = _relative(ours[name].detach(), theirs[name].detach())
    for network, terms in ((model, ours), (oracle, theirs)):
        network.zero_grad()
        torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
    reference = dict(oracle.named_parameters())
    for name, parameter in model.named_parameters():
        grad = reference[name].grad
        if (parameter.grad is None) != (grad is None):
            raise AssertionError(f"only one of the two has a gradient of {name}")
        if parameter.grad is not None and grad is not None:
            differences[f"gradient of {name}"] = _relative(parameter.grad, grad)
    model.zero_grad()
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= LARGEST_DIFFERENCE:
        raise AssertionError(f"{worst} differs by {differences[worst]:.1e} relative")
    return differences[worst]


def _relative(value: Tensor, expected: Tensor) -> float:
    return float((value.double() - expected).norm() / expected.norm().clamp(min=1e-30))


def _coo(indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=False).coalesce()


def _ndcg_and_map(hits: list[bool], positives: int) -> tuple[list[float], list[float]]:
    """NDCG and MAP of one user at every cutoff."""
    ndcg, precision = [], []
    for k in CUTOFFS:
        gain, found, total = 0.0, 0, 0.0
        for rank, hit in enumerate(hits[:k], start=1):
            if hit:
                gain += 1 / math.log2(rank + 1)
                found += 1
                total += found / rank
        ndcg.append(gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, positives) + 1)))
        precision.append(total / min(k, positives))
    return ndcg, precision
