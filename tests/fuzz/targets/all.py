"""All targets."""

from tests.fuzz.targets import caches, comparisons, encoders, folders, images, matrices, settings, tables

TARGETS = (
    *tables.TARGETS,
    *matrices.TARGETS,
    *images.TARGETS,
    *settings.TARGETS,
    *folders.TARGETS,
    *comparisons.TARGETS,
    *caches.TARGETS,
    *encoders.TARGETS,
)
