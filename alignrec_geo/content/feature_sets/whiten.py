"""One feature matrix, centred and whitened: what there is to do with content of a single modality before training."""

from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from alignrec_geo.content.item_encoder import PRETRAINED, WHITENED
from alignrec_geo.content.pretraining.encoder_folder import MODEL, encoder_to_itself
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, sha256_of
from alignrec_geo.nn.whitening import BLOCK, Whitening, all_alike, check_shrink

KIND = "whitening"
"""What ``config.json`` of an encoder says that whitens another matrix."""
SHRINK = 0.1


class Whitened(NamedTuple):
    """What :func:`whiten_features` made."""

    dataset: Dataset
    """The data set, with the features stored."""
    features: Features
    """The whitened vectors."""


def whiten_features(
    dataset: Dataset, source: str, name: str | None = None, shrink: float = SHRINK, overwrite: bool = False
) -> Whitened:
    r"""Centre and whiten a feature matrix, and store the result beside it.

    With the mean :math:`\mu` and the covariance :math:`V \Lambda V^\top` of the vectors of all items that have them,

    .. math:: x' = (x - \mu)\, V (\Lambda + s\, \lambda_{max} I)^{-1/2}

    in float64 (:class:`~alignrec_geo.nn.whitening.Whitening`). No interaction is looked at. Mean and
    matrix stay in the folder ``encoders/NAME`` of the data set, so that new items (``embed``) go the same way: through
    the encoder that made ``source``, or with a row of ``source`` that they bring, then through the transform.

    Args:
        dataset: as stored.
        source: name of the matrix ``[I, D]``.
        name: of the whitened one; ``source`` and ``-white`` if not given.
        shrink: :math:`s`, above 0: the less, the more directions of little variance count.
        overwrite: replace features and encoder of that name.

    Raises:
        InputError: ``shrink`` is not above 0, there is no such matrix, it is whitened already, all its vectors are the
            same, or the name is taken.

    Example:
        >>> from tempfile import mkdtemp
        >>> from alignrec_geo.dataset import make_catalogue
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16).save(mkdtemp() + "/data")
        >>> made = whiten_features(data, "text")
        >>> made.features.name, float(abs(made.features.matrix[made.features.present].mean(axis=0)).max()) < 1e-6
        ('text-white', True)
    """
    given = dataset.features(source)
    called = f"{source}-white" if name is None else name
    if called == source:
        raise InputError(f"the whitened features need a name= of their own (got '{called}')")
    made, whitening = whitened(given, called, shrink)
    folder = dataset.encoder_folder(called)
    spec: dict[str, Any] = {
        "kind": KIND,
        "dataset": dataset.fingerprint(),
        "shrink": shrink,
        "task": {"from": source, "width": given.width, "meta": given.meta, "encoder_sha256": None},
    }
    if given.meta.get("made by") == PRETRAINED:
        spec["task"]["encoder_sha256"] = sha256_of(dataset.encoder_folder(source) / MODEL)
    with encoder_to_itself(dataset, folder, called, spec, resume=False, overwrite=overwrite) as (_, settle):
        with atomic_path(settle() / MODEL) as staging:
            save_file(whitening.tensors(), staging)
        stored = dataset.store_features(made, overwrite=overwrite)
    return Whitened(stored, made)


def whitened(given: Features, name: str, shrink: float = SHRINK) -> tuple[Features, Whitening]:
    """Whitened features, and the transform; nothing is stored. See :func:`whiten_features`.

    Args:
        given: the features.
        name: of the whitened ones.
        shrink: above 0.

    Raises:
        InputError: they are whitened already, or all their vectors are the same.
    """
    check_shrink(shrink)
    if given.meta.get("made by") == WHITENED:
        raise InputError(f"features '{given.name}' are whitened already")
    rows = np.flatnonzero(given.present)
    vectors = torch.from_numpy(given.matrix[rows])
    if all_alike(vectors):
        raise InputError(f"features '{given.name}' are the same for all {len(rows)} items that have them")
    whitening = Whitening.fit(vectors, shrink, torch.float64)
    matrix = np.zeros_like(given.matrix)
    matrix[rows] = torch.cat([whitening(block) for block in vectors.split(BLOCK)]).numpy()
    return Features(name, matrix, given.present, _meta(given, shrink, len(rows))), whitening


def _meta(given: Features, shrink: float, items: int) -> dict[str, str]:
    origin = given.meta.get("encoder") or given.meta.get("source") or given.meta.get("made_by")
    return {
        "made by": WHITENED,
        "from": given.name,
        **({} if origin is None else {"encoder": origin}),
        "whitening": f"shrinkage {shrink:g}, fitted to {items} items",
    }
