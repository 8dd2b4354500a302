"""A run, opened for a service: tables, titles, images and the model behind them, each made once."""

import hashlib
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from alignrec_geo.dataset.manifest import MANIFEST
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.device import choose_device
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import read_image, thumbnail
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.reading import as_path
from alignrec_geo.service.search import WordIndex
from alignrec_geo.service.settings import ServiceSettings
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.cold_store import COLD
from alignrec_geo.serving.folding_store import FOLDING, StoredFolding
from alignrec_geo.serving.index.store import FACTS, FOLDER
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.serving.store import DATASET, EMBEDDINGS, load_top_items
from alignrec_geo.settings import read_yaml
from alignrec_geo.staging import recover

CONFIG = "config.yaml"
FILES = (EMBEDDINGS, COLD, FOLDING, f"{DATASET}/{MANIFEST}", CONFIG, f"{FOLDER}/{FACTS}")
KEPT_IMAGES = 2_000
"""Small images that are kept, some 10 kB each."""
KEPT_REASONS = 500
"""Explanations that are kept."""
EXAMPLES = 8
"""Users that are named to somebody who knows none."""
TRIES = 3


class OpenRun:
    """A run folder, opened once; nothing of it is read again.

    Args:
        settings: the folder, and where its data set is if it was moved.

    Attributes:
        top: recommends; with cold items where ``embed`` left some.
        candidates: all items that can be shown, cold ones last.
        identity: changes when the run's files do.
        notes: what is missing.
        opened: seconds since 1970.

    Raises:
        InputError: not a run folder, a damaged file, or a data set with other items.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        given = as_path(settings.run)
        recover(given)
        self.run = given.resolve()  # a link that is turned to another run meanwhile changes nothing here
        self.notes: list[str] = []
        self.opened = time.time()
        self._settings = settings
        for _ in range(TRIES):
            self.identity = identity(given)
            cold = (self.run / COLD).exists()
            self.top = load_top_items(self.run, cold, choose_device(settings.device), settings.index)
            if identity(given) == self.identity:
                break
        else:
            raise InputError(f"{given}: its files change while they are read; wait until the run is finished")
        _take_into_memory(self.top)
        self._lock, self._drawing = threading.RLock(), threading.Lock()
        self._model: Any = None
        folding = self.top.fold_in
        if isinstance(folding, StoredFolding) and not folding.there and (self.run / CONFIG).exists():
            self.top.fold_in = self._fold_in
        self.candidates: Candidates = self.top.candidates(self.top.cold_items is not None)
        self.content = self._with_images()
        self.explained: Callable[[str, str], dict[str, Any]] = lru_cache(KEPT_REASONS)(self._explained)
        self.image: Callable[[int, int], bytes | None] = lru_cache(KEPT_IMAGES)(self._image)
        pairs = self.top.dataset.interactions
        busiest = np.argsort(-np.bincount(pairs.user, minlength=pairs.n_users), kind="stable")[:EXAMPLES]
        self.examples: list[str] = self.top.users.ids.gather(busiest).to_list()
        self._warm()

    @property
    def model_name(self) -> str | None:
        """The name of the model, if the folder tells."""
        file = self.run / CONFIG
        return str(read_yaml(file).get("model")) if file.exists() else None

    @property
    def has_images(self) -> bool:
        """Whether any item has an image that can be shown."""
        return self.content is not None and self.content.items["image"].count() > 0

    def has_image(self, row: int) -> bool:
        """Whether an item has one."""
        there = self.content is not None and row < self.content.items.height
        return there and self.content.items["image"][row] is not None  # type: ignore[union-attr]

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the items that a condition can be on, with their types."""
        empty = self.candidates.table.null_count().row(0, named=True)
        kinds = self.candidates.table.schema.items()
        return {name: str(kind) for name, kind in kinds if empty[name] < len(self.candidates) and name != "image"}

    def knows(self, user: str) -> bool:
        """Whether something was learned of a user."""
        row = self.top.users.get(user)
        return row >= 0 and bool(self.top.trained_users[row])

    def model(self) -> Any:
        """The model behind the tables, loaded when it is first needed.

        Raises:
            InputError: the folder holds tables alone, or the model's data set is not where it was.
        """
        from alignrec_geo.models.stored import load

        with self._lock:
            if self._model is None:
                self._model = load(self.run, self._settings.dataset, self._settings.trust)
            return self._model

    def items_like(self, query: str | None, limit: int) -> list[int]:
        """Rows of items by title and id: that of this id, then those with all words of ``query``; all for ``None``."""
        if query is None:
            rows: list[int] = self._index("items").first(limit).tolist()
            return rows
        return _found(self.candidates.rows.get(query), self._index("items").find(query, limit).tolist(), limit)

    def users_like(self, query: str | None, limit: int) -> list[str]:
        """Ids of users, likewise."""
        index = self._index("users")
        if query is None:
            rows = index.first(limit).tolist()
        else:
            rows = _found(self.top.users.get(query), index.find(query, limit).tolist(), limit)
        return self.top.users.ids.gather(rows).to_list()

    def _index(self, which: str) -> WordIndex:
        with self._lock:
            made = self.__dict__.setdefault("_indexes", {})
            if which not in made:
                made[which] = self._made_index(which)
            found: WordIndex = made[which]
            return found

    def _made_index(self, which: str) -> WordIndex:
        if which == "users":
            pairs = self.top.dataset.interactions
            return WordIndex(self.top.users.ids, np.bincount(pairs.user, minlength=pairs.n_users))
        both = pl.concat_str("title", "id", separator=" ", ignore_nulls=True)
        texts = self.candidates.table.select(text=both)["text"]
        return WordIndex(texts, self.candidates.popularity.cpu().numpy())

    def _explained(self, user: str, item: str) -> dict[str, Any]:
        from alignrec_geo.explaining import explain

        with self._lock:  # a model is put into evaluation mode and back
            return explain(self.model(), user, item).as_dict()

    def _fold_in(self, histories: CSR) -> Tensor:
        with self._lock:
            found: Tensor = self.model().fold_in(histories)
            return found

    def _image(self, row: int, side: int) -> bytes | None:
        if not self.has_image(row):
            return None
        file = self.content.image_path(row)  # type: ignore[union-attr]
        if file is None:
            return None
        with self._drawing:  # Pillow's limit of pixels is one for the process
            small = read_image(file, lambda image: thumbnail(image, side))
        return None if isinstance(small, str) else small

    def _with_images(self) -> Dataset | None:
        """The data set with its images, if it is there: a run keeps none."""
        given, own = self._settings.dataset, self.top.dataset
        if given is None and (self.run / CONFIG).exists():
            stored = read_yaml(self.run / CONFIG).get("dataset")
            given = Path(stored) if isinstance(stored, str) else None
            if given is None or not given.is_dir():
                self.notes.append(f"no images: the data set is not where it was ({given}); name it with dataset=")
                return None
        if given is None:
            return own
        try:
            found = Dataset.open(given)
        except InputError as error:
            if self._settings.dataset is not None:
                raise
            self.notes.append(f"no images: {error}")
            return None
        if not found.items["id"].equals(own.items["id"]):
            said = f"{given}: its items are not those of {self.run}"
            if self._settings.dataset is not None:
                raise InputError(said)
            self.notes.append(f"no images: {said}")
            return None
        return found

    def _warm(self) -> None:
        """Make what requests look things up in, before the first of them comes."""
        top, known = self.top, np.flatnonzero(self.top.trained_users)
        if len(known):
            top.recommend(top.users.ids[int(known[0])], 1, include_cold=top.cold_items is not None)
            top.recommend(top.users.ids[int(known[0])], 1)
        top.similar(self.candidates.names[0][0], 1)
        top.users.get(""), self.candidates.rows.get("")
        if (self.run / CONFIG).exists():
            import alignrec_geo.explaining.explainer  # noqa: F401  # it loads PyG: seconds in which nobody is answered


def identity(run: Path) -> str:
    """A text that changes when a run's files do: which files they are, how long, and when they were written."""
    digest = hashlib.sha256()
    for name in FILES:
        try:
            found = (run / name).stat()
            digest.update(f"{name} {found.st_ino} {found.st_size} {found.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{name} -\n".encode())
    return digest.hexdigest()[:16]


def _take_into_memory(top: TopItems) -> None:
    """Copy what is mapped from files: whoever writes into such a file in place would end the process (SIGBUS)."""
    top.embeddings = Embeddings(*(table.clone() for table in top.embeddings))
    if isinstance(top.fold_in, StoredFolding):
        top.fold_in.take_into_memory()


def _found(exact: int, others: list[int], limit: int) -> list[int]:
    return ([exact, *(row for row in others if row != exact)] if exact >= 0 else others)[:limit]
