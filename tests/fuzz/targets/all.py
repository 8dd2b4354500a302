"""All targets."""

from tests.fuzz.targets import caches, encoders, folders, images, matrices, settings, tables

TARGETS = (
    *tables.TARGETS,
    *matrices.TARGETS,
    *images.TARGETS,
    *settings.TARGETS,
    *folders.TARGETS,
    *caches.TARGETS,
    *encoders.TARGETS,
)
