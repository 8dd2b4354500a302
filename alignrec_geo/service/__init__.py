"""The HTTP service of a trained run: recommendations, neighbours, explanations, items and a page to look at them.

Needs the extra ``serve`` (FastAPI, uvicorn, prometheus-client).
"""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.service.app import make_app
    from alignrec_geo.service.opened import OpenRun
    from alignrec_geo.service.settings import ServiceSettings

__all__ = ["OpenRun", "ServiceSettings", "make_app"]
_HOME = {"OpenRun": "opened", "ServiceSettings": "settings", "make_app": "app"}
__getattr__, __dir__ = lazy_names(__name__, _HOME)
