"""Is a difference between models more than chance? Paired tests on users."""

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator

RESAMPLES = 2000
BLOCK_DRAWS = 1 << 18
"""Users drawn at once by the bootstrap: 2 MB of row numbers."""

Float64 = NDArray[np.float64]


def paired_comparison(per_user: pl.DataFrame, reference: str, metric: str, seed: int = 0) -> list[dict[str, Any]]:
    r"""Compare a model with every other one, user by user.

    A user's value under a model is its mean over the model's seeds; :math:`d_u` is the reference's value minus the
    other model's, over the users that all models have. Per other model:

    - the mean difference :math:`\bar d` and its 95 % percentile interval over 2,000 bootstrap resamples of the users,
      the same resamples for every model;
    - the two-sided p of Wilcoxon's signed-rank test, in its normal approximation. Most users have the same value under
      both models; by Pratt's rule (`1959 <https://doi.org/10.1080/01621459.1959.10501526>`_) these take part in the
      ranking and their ranks are then dropped, with the variance to match. Equal tables have p = 1;
    - p after Holm's step-down correction (`1979 <https://www.jstor.org/stable/4615733>`_) over the other models.

    The test asks about users under the seeds that were run, not about seeds to come.

    Args:
        per_user: one row per model, seed and user, with the columns ``model``, ``seed``, ``user`` and the metrics.
        reference: the model to compare with all others.
        metric: which column, ``recall@20`` for example.
        seed: seed of the resamples.

    Returns:
        One row per other model, sorted by name: ``baseline``, ``metric``, ``difference``, ``low``, ``high``, ``p``,
        ``p_holm``, ``users``. Empty if there is no other model.

    Raises:
        InputError: a column is missing, the reference is not among the models, a value is missing or not finite, or
            the models have no user in common.

    Example:
        >>> table = pl.DataFrame({"model": ["ours"] * 3 + ["theirs"] * 3, "seed": [0] * 6, "user": ["a", "b", "c"] * 2,
        ...                       "recall@20": [1.0, 0.5, 0.5, 0.5, 0.5, 0.5]})
        >>> round(paired_comparison(table, "ours", "recall@20")[0]["difference"], 3)
        0.167
    """
    baselines, differences = _differences(per_user, reference, metric)
    if not baselines:
        return []
    low, high = _bootstrap_interval(differences, seed)
    p = np.array([_signed_rank_p(row) for row in differences])
    return [
        {
            "baseline": name,
            "metric": metric,
            "difference": float(differences[row].mean()),
            "low": float(low[row]),
            "high": float(high[row]),
            "p": float(p[row]),
            "p_holm": float(corrected),
            "users": differences.shape[1],
        }
        for row, (name, corrected) in enumerate(zip(baselines, holm(p), strict=True))
    ]


def holm(p: Float64) -> Float64:
    """Correct p-values for their number by Holm's step-down rule.

    Args:
        p: ``[m]``.

    Returns:
        ``[m]``, in the same order: with p sorted upwards, the running maximum of ``(m - j) p_j`` (j from 0), at most 1.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return corrected


def _differences(per_user: pl.DataFrame, reference: str, metric: str) -> tuple[list[str], Float64]:
    """The other models, sorted, and the reference's value minus theirs: ``[models, users]``."""
    missing = [name for name in ("model", "seed", "user", metric) if name not in per_user.columns]
    if missing:
        raise InputError(f"per-user metrics lack the column '{missing[0]}'; there are: {', '.join(per_user.columns)}")
    models = sorted(per_user["model"].unique().to_list())
    if reference not in models:
        raise InputError(f"the reference is not among the models (got '{reference}'); there are: {', '.join(models)}")
    if not per_user.select(pl.col(metric).cast(pl.Float64).is_finite().fill_null(False).all()).item():
        raise InputError(f"per-user metrics hold a missing or infinite '{metric}'")
    means = per_user.group_by("model", "user").agg(pl.col(metric).cast(pl.Float64).sort().mean())
    tables = {name: means.filter(pl.col("model") == name).select("user", metric) for name in models}
    users = tables[reference].select("user").sort("user")
    for table in tables.values():
        users = users.join(table, on="user", how="semi", maintain_order="left")
    if users.is_empty():
        raise InputError("the models have no user in common; nothing can be paired")
    values = {
        name: users.join(table, on="user", how="left", maintain_order="left")[metric].to_numpy()
        for name, table in tables.items()
    }
    baselines = [name for name in models if name != reference]
    differences = np.empty((len(baselines), len(users)))
    for row, name in enumerate(baselines):
        differences[row] = values[reference] - values[name]
    return baselines, differences


def _bootstrap_interval(differences: Float64, seed: int) -> tuple[Float64, Float64]:
    """The 2.5 % and 97.5 % points of the mean over resampled users, per row."""
    n = differences.shape[1]
    generator = child_generator(seed, "bootstrap")
    table = torch.from_numpy(differences)  # [m, n]
    block = max(1, BLOCK_DRAWS // n)
    means = []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = torch.randint(n, (size, n), generator=generator) + torch.arange(size)[:, None] * n
        times = torch.bincount(drawn.view(-1), minlength=size * n).view(size, n).double()  # how often each user
        means.append(table @ times.T / n)
    low, high = np.quantile(torch.cat(means, dim=1).numpy(), [0.025, 0.975], axis=1)
    return low, high


def _signed_rank_p(differences: Float64) -> float:
    from scipy.stats import wilcoxon  # slow to import, and few commands need it

    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue)
