"""The table of user-item layers: ``alignrec-geo compare --user-item-conv``, stored in ``benchmarks/results``.

    python benchmarks/layers.py layers-tiktok data/tiktok --features image,audio --seeds 3 --out runs/layers

writes ``benchmarks/results/layers-tiktok.json`` when every run is over. Every other argument is that of the verb;
without ``--user-item-conv`` all layers that have a name take part.
"""

import sys

import compare

from alignrec_geo.nn.conv import CONVS

OPTION = "--user-item-conv"


def arguments(given: list[str]) -> list[str]:
    """The arguments of the verb: those given, and all layers if none are named."""
    named = any(word == OPTION or word.startswith(f"{OPTION}=") for word in given)
    return given if named else [*given, OPTION, ",".join(CONVS)]


def main() -> None:
    """Run the comparison of layers as ``benchmarks/compare.py`` runs one of models."""
    if len(sys.argv) < 3 or "--out" not in sys.argv[:-1]:
        sys.exit(__doc__)
    sys.argv[1:] = [sys.argv[1], *arguments(sys.argv[2:])]
    compare.main()


if __name__ == "__main__":
    main()
