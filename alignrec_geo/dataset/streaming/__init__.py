"""Tables of interactions that do not fit into memory, made into data set folders by DuckDB, within a stated memory."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.dataset.streaming.importing import Imported, import_table

__all__ = ["Imported", "import_table"]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(("Imported", "import_table"), "importing"))
