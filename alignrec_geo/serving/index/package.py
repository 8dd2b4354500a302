"""The optional package that the index is searched with."""

from typing import Any

from alignrec_geo.errors import InputError


def load_faiss() -> Any:
    """Return the module ``faiss``.

    Raises:
        InputError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise InputError(
            "an index of items needs faiss, which is not installed: pip install 'alignrec-geo[ann]'"
        ) from None
    return faiss
