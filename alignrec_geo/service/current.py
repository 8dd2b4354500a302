"""The run that is served now, and how another takes its place while requests are answered."""

import threading

from alignrec_geo.reading import as_path
from alignrec_geo.service.opened import OpenRun, identity
from alignrec_geo.service.settings import ServiceSettings


class Current:
    """Holds the run that new requests get; those under way keep the one that they began with.

    Args:
        settings: where the run is.

    Attributes:
        run: the open run. Reading it once per request is what makes an answer come from one run.
        reloads: how many took another's place.

    Raises:
        InputError: the run cannot be opened.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.run = OpenRun(settings)
        self.reloads = 0
        self._lock = threading.Lock()

    def reload(self) -> bool:
        """Open the run's path again beside the one in use, and change over; nothing happens if no file has changed.

        Returns:
            Whether another run is served now.

        Raises:
            InputError: what is there cannot be opened; the run in use stays.
        """
        with self._lock:
            if identity(as_path(self.settings.run)) == self.run.identity:
                return False
            self.run = OpenRun(self.settings)
            self.reloads += 1
            return True
