"""Which stored comparisons the page of results shows, in order, and what is said of each."""

from typing import NamedTuple

FIRST, SECOND = "tiktok-table", "plus-toys"
"""The two comparisons of the README."""


class Section(NamedTuple):
    """What a comparison is called, and what is said before its table."""

    title: str
    about: str


COMPARISONS = {
    FIRST: Section(
        "TikTok",
        "9,308 users, 6,710 items, 68,722 pairs, visual and acoustic vectors. Four items alone are about half of "
        "everyone's Recall@20, hence the groups below.",
    ),
    SECOND: Section(
        "Amazon Toys",
        "19,412 users, 11,924 items, 167,597 pairs, text vectors of some five keywords each.",
    ),
    "plus-ml-1m": Section(
        "MovieLens 1M",
        "6,040 users, 3,706 films, 1,000,209 ratings, vectors of posters and texts by frozen encoders. All with the "
        "same learning rate, patience and limit of epochs, nothing searched.",
    ),
    "ml-100k-table": Section(
        "MovieLens 100K",
        "943 users, 1,682 films, 100,000 ratings, vectors of posters and plots by frozen encoders.",
    ),
    "plus-tiktok": Section(
        "TikTok, AlignRec+",
        "Both with their defaults, in the protocol that is not the one of the first table.",
    ),
    "cold-tiktok": Section(
        "TikTok, items that are new",
        "All pairs of a tenth of the items are to be found, those of another tenth choose the epoch, and nothing is "
        "trained of either: they are [placed by their content](cold-items.md#measuring-it) and ranked among all items.",
    ),
    "cold-ml-1m": Section(
        "MovieLens 1M, films that are new",
        "The same with films: 371 are to be found, 371 choose the epoch. With the learning rate, patience and limit of "
        "epochs of MovieLens 1M above.",
    ),
    "baby-baselines": Section("Amazon Baby", "19,445 users, 7,050 items, 160,792 pairs, no content."),
}


FIGURES = {
    FIRST: {"tiktok-quality": "Recall@20 on TikTok", "tiktok-cost": "Quality against the time it takes, TikTok"},
    SECOND: {"toys-quality": "Recall@20 on Toys"},
    "plus-ml-1m": {"ml-1m-quality": "Recall@20 on MovieLens 1M"},
    "ml-100k-table": {
        "ml-100k-quality": "Recall@20 on MovieLens 100K",
        "ml-100k-cost": "Quality against the time it takes, MovieLens 100K",
    },
}
