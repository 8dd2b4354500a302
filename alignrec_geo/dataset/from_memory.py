"""Data sets from what is in memory: the constructors of :class:`~alignrec_geo.Dataset` that take frames and graphs."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alignrec_geo.dataset.splits import SplitConfig

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from torch_geometric.data import HeteroData

    from alignrec_geo.dataset.images import ImageSource
    from alignrec_geo.dataset.readers.edges import EdgeType
    from alignrec_geo.dataset.store import Dataset


class FromMemory:
    """The constructors."""

    @staticmethod
    def from_frame(
        interactions: "pl.DataFrame | pl.LazyFrame | pd.DataFrame",
        *,
        name: str = "frame",
        user: str = "user",
        item: str = "item",
        split: str | None = None,
        timestamp: str | None = None,
        rating: str | None = None,
        weight: str | None = None,
        items: "pl.DataFrame | pl.LazyFrame | pd.DataFrame | None" = None,
        item_id: str = "id",
        title: str | None = None,
        text: str | Sequence[str] | None = None,
        keep_html: bool = False,
        all_items: bool = False,
        features: Mapping[str, Any] | None = None,
        images: "str | os.PathLike[str] | ImageSource | None" = None,
        image: str | None = None,
        item_columns: Sequence[str] = (),
        rule: SplitConfig | str | None = None,
        skip_empty_ids: bool = False,
        skip_bad_rows: bool = False,
        strip_ids: bool = False,
        decimal: str = ".",
        min_rating: float | None = None,
        k_core: int = 1,
    ) -> "Dataset":
        """Build a data set from frames in memory.

        Args:
            interactions: polars (also lazy) or pandas frame, one row per interaction.
            name: what tables call the data set.
            user: column of the user id.
            item: column of the item id.
            split: column that says train, validation or test (or 0, 1, 2).
            timestamp: column of the time.
            rating: column of the rating.
            weight: column of the weight of a row in training, above 0; those of duplicate rows are added up.
            items: polars or pandas frame of item metadata.
            item_id: its id column.
            title: its title column; ``"title"`` if there is one of that name.
            text: its text column or columns; ``"text"`` if there is one of that name.
            keep_html: leave HTML in titles and texts; otherwise its tags are taken out and its entities read.
            all_items: keep items of ``items`` that nobody interacted with.
            features: matrices by name (arrays, tensors of any kind, frames), each ``(ids, matrix)`` or a matrix by row:
                row ``r`` belongs to the item whose id is the whole number ``r``, or, if ids are not whole numbers, to
                row ``r`` of ``items``.
            images: folder or archive of images called ITEM-ID.jpg, or as ``image`` says.
            image: column of ``items`` with the path of the image in ``images``; several items may share one.
            item_columns: further columns of ``items`` to keep, for conditions on what is recommended.
            rule: split rule where there is no split column, or its name; random per user with seed 0 if not given.
            skip_empty_ids: leave out and count rows without a user or item id, instead of refusing them.
            skip_bad_rows: leave out and count every row that cannot be used; more than half is refused.
            strip_ids: take off the spaces around ids; otherwise they are kept, and noted.
            decimal: decimal mark of numbers in columns of text, ``.`` or ``,``.
            min_rating: keep rows with at least this rating.
            k_core: keep the part in which every user and item has at least this many rows.

        Raises:
            InputError: a column is not there, or a row holds what it cannot hold.

        Example:
            >>> import polars as pl
            >>> clicks = pl.DataFrame({"user": ["ann", "ann", "bob"], "item": ["mug", "pen", "mug"]})
            >>> from alignrec_geo import Dataset
            >>> Dataset.from_frame(clicks).counts()["interactions"]
            3
        """
        from alignrec_geo.dataset.readers.frame import from_frame  # the readers make data sets

        return from_frame(
            interactions,
            name=name,
            user=user,
            item=item,
            split=split,
            timestamp=timestamp,
            rating=rating,
            weight=weight,
            items=items,
            item_id=item_id,
            title=title,
            text=text,
            keep_html=keep_html,
            all_items=all_items,
            features=features,
            images=images,
            image=image,
            item_columns=item_columns,
            rule=rule,
            skip_empty_ids=skip_empty_ids,
            skip_bad_rows=skip_bad_rows,
            strip_ids=strip_ids,
            decimal=decimal,
            min_rating=min_rating,
            k_core=k_core,
        )

    @staticmethod
    def from_hetero(
        data: "HeteroData",
        *,
        edge_type: "EdgeType | None" = None,
        name: str = "hetero",
        features: Mapping[str, Any] | None = None,
        split: SplitConfig | str | None = None,
    ) -> "Dataset":
        """Build a data set from a PyG ``HeteroData`` graph, which is not changed.

        Edges (``edge_index``, or ``adj_t`` of ``ToSparseTensor``) are interactions. Which are held out is taken from
        ``validation_edge_label_index`` and ``test_edge_label_index`` (``[2, n]``) of the edge type, else from its
        ``split`` (0, 1, 2 per edge), else ``split`` makes it. ``time`` or ``timestamp``, ``rating`` and ``weight`` per
        edge are kept where all interactions have them. Of the item nodes, ``x`` becomes the features ``x``, ``x_NAME``
        the features ``NAME`` with ``has_NAME`` as the mask; ``external_id``, ``title`` and ``text`` are lists. All
        nodes are kept.

        Args:
            data: the graph.
            edge_type: the interactions; the only edge type from ``user`` to ``item`` if not given.
            name: what tables call the data set.
            features: further matrices of the item nodes by name: arrays, or tensors of any kind.
            split: a rule, or its name, to use in place of the stored split; random per user if there is none.

        Raises:
            InputError: no such edge type, an edge of a node that is not there, or an attribute of a wrong length or
                with NaN; the message names edge type, value and limit.

        Example:
            >>> from alignrec_geo import Dataset, make_catalogue, to_hetero
            >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
            >>> Dataset.from_hetero(to_hetero(data)).counts() == data.counts()
            True
        """
        from alignrec_geo.dataset.readers.hetero import from_hetero  # the readers make data sets

        return from_hetero(data, edge_type=edge_type, name=name, features=features, split=split)
