"""These tests read the pages."""

from tests.conftest import whole_pages as quick_pages

__all__ = ["quick_pages"]
