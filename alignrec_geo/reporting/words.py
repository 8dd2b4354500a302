"""Numbers as people read them in reports."""

import re
from collections.abc import Sequence

NONE = "–"
"""What does not apply, or is not known."""


def metric_name(key: str) -> str:
    """A metric as it is written in text.

    Example:
        >>> metric_name("recall@20"), metric_name("ndcg@10"), metric_name("coverage@20")
        ('Recall@20', 'NDCG@10', 'coverage@20')
    """
    name, at, cutoff = key.partition("@")
    return _METRICS.get(name, name) + at + cutoff


_METRICS = {"recall": "Recall", "ndcg": "NDCG", "precision": "Precision", "map": "MAP", "mrr": "MRR", "hit": "Hit"}


def model_name(name: str) -> str:
    """A model as its paper writes it; others, and layers, as they are called in commands.

    Example:
        >>> model_name("alignrec"), model_name("alignrec+sage"), model_name("mypkg.models.Mine")
        ('AlignRec', 'AlignRec+sage', 'mypkg.models.Mine')
        >>> model_name("alignrec[dim=32]")
        'AlignRec[dim=32]'
    """
    base = base_model(name)
    return _MODELS.get(base, base) + name.removeprefix(base)


def base_model(name: str) -> str:
    """The model of a row, whatever layer (``MODEL+LAYER``) or settings (``MODEL[key=value]``) its name adds.

    Example:
        >>> base_model("alignrec+sage[dim=32]"), base_model("popularity[lr=0.1]")
        ('alignrec', 'popularity')
    """
    return _ADDED.split(name, maxsplit=1)[0]


_ADDED = re.compile(r"[+\[]")


_MODELS = {
    "alignrec": "AlignRec",
    "alignrec-plus": "AlignRec+",
    "bm3": "BM3",
    "bpr": "BPR",
    "content-knn": "content kNN",
    "dualgnn": "DualGNN",
    "freedom": "FREEDOM",
    "grcn": "GRCN",
    "lattice": "LATTICE",
    "lightgcn": "LightGCN",
    "mgcn": "MGCN",
    "mmgcn": "MMGCN",
    "slmrec": "SLMRec",
    "vbpr": "VBPR",
}


def decimal(value: float | None, digits: int = 4) -> str:
    """A metric's value, or a dash.

    Example:
        >>> decimal(0.12345), decimal(None)
        ('0.1235', '–')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """A difference with its sign, a true minus among them.

    Example:
        >>> signed(0.012), signed(-0.5, 2), signed(None)
        ('+0.0120', '−0.50', '–')
    """
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """A p-value as it is reported: without the zero before the point, and never as exactly 0.

    Example:
        >>> p_value(0.0213), p_value(4e-9), p_value(0.2), p_value(1.0), p_value(None)
        ('p = .021', 'p < .001', 'p = .20', 'p = 1.00', '–')
    """
    if p is None:
        return NONE
    if p < 0.001:
        return "p < .001"
    digits = 2 if p >= 0.1 else 3
    return f"p = {p:.{digits}f}".replace("0.", ".", 1)


def duration(seconds: float | None) -> str:
    """A time as people say it.

    Example:
        >>> duration(0.412), duration(23.6), duration(252), duration(7500), duration(None)
        ('0.41 s', '24 s', '4 min 12 s', '2 h 5 min', '–')
    """
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(number: float | None) -> str:
    """A number of things, in groups of three digits.

    Example:
        >>> count(68722), count(None)
        ('68,722', '–')
    """
    return NONE if number is None else f"{number:,.0f}"


def ordinal(place: int) -> str:
    """A place in a ranking.

    Example:
        >>> [ordinal(place) for place in (1, 2, 3, 11, 22)]
        ['1st', '2nd', '3rd', '11th', '22nd']
    """
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def listed(names: Sequence[str], of: int | None = None, most: int = 3) -> str:
    """Some names, or how many there are: nobody reads a list of eleven.

    Args:
        names: the names.
        of: how many others there are in all.
        most: names that are written out.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"]), listed(["a", "b", "c", "d"], of=4)
        ('a', 'a, b and c', '4 models', 'all 4 other models')
    """
    if len(names) > most:
        return f"all {of} other models" if len(names) == of else f"{len(names)} models"
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
