"""Runs, data sets and features on the Hugging Face Hub, and descriptions of data sets for other loaders."""

from alignrec_geo.sharing.pull import Pulled, pull
from alignrec_geo.sharing.push import Pushed, push

__all__ = ["Pulled", "Pushed", "pull", "push"]
