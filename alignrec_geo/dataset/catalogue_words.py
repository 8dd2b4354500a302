"""Titles and captions of the generated catalogue: kind, material and theme, never colour or pattern."""

from collections.abc import Mapping, Sequence

import numpy as np

MATERIALS = ("oak", "copper", "linen", "bamboo", "clay", "steel", "cork", "leather")
"""Materials of the things; only written."""

THEMES: Mapping[str, tuple[str, ...]] = {
    "camping": ("camping trips by the lake", "camping under open skies", "camping in the woods"),
    "nursery": ("the nursery of a newborn", "a nursery full of toys", "nursery bedtime stories"),
    "office": ("the office desk", "long office days", "office meetings and deadlines"),
    "kitchen": ("a busy kitchen", "the kitchen and its recipes", "kitchen parties with friends"),
    "garden": ("the garden in spring", "a garden full of herbs", "garden afternoons among flowers"),
    "seaside": ("seaside holidays", "a seaside cottage", "windy seaside walks"),
    "music": ("music lovers", "a music room with a piano", "evenings of music and concerts"),
    "sports": ("sports clubs", "a morning of sports", "sports fans of all ages"),
    "winter": ("cold winter nights", "winter by the fireplace", "snowy winter cabins"),
    "travel": ("travel by train", "travel with little luggage", "travel to far cities"),
}
"""What the things are for, and how captions put it; only written."""

MAKERS = (
    "Harlow",
    "Bramble",
    "Northwind",
    "Fennel",
    "Quill",
    "Tamarind",
    "Osprey",
    "Juniper",
    "Marlow",
    "Sable",
)

TITLES = (
    "{theme} {kind} in {material}",
    "{maker} {kind} for {theme}, {material}",
    "{material} {kind}, {theme} series",
)

CAPTIONS = (
    "A {kind} with {material} details, made for {phrase}.",
    "{maker} makes this {kind} of {material}. It belongs to {phrase}.",
    "For {phrase}: a {kind} finished in {material} by {maker}.",
    "This {kind} pairs {material} with an honest shape and goes well with {phrase}.",
    "Designed for {phrase}, the {maker} {kind} is built around {material}.",
    "Our customers use the {kind} for {phrase}; the {material} ages well.",
)


def name_and_describe(rng: np.random.Generator, kind: str, material: str, theme: str) -> tuple[str, str]:
    """Draw a title and a caption for an item.

    Args:
        rng: where the wording is drawn from.
        kind: the thing, also drawn in the image.
        material: one of :data:`MATERIALS`.
        theme: key of :data:`THEMES`.

    Returns:
        Title and caption.
    """
    phrase, maker = _draw(rng, THEMES[theme]), _draw(rng, MAKERS)
    title = _draw(rng, TITLES).format(kind=kind, material=material, theme=theme, maker=maker)
    caption = _draw(rng, CAPTIONS).format(kind=kind, material=material, phrase=phrase, maker=maker)
    return title[0].upper() + title[1:], caption


def _draw(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]
