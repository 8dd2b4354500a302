"""All targets."""

from tests.fuzz.targets import encoders, folders, matrices, pictures, settings, tables

TARGETS = (
    *tables.TARGETS,
    *matrices.TARGETS,
    *pictures.TARGETS,
    *settings.TARGETS,
    *folders.TARGETS,
    *encoders.TARGETS,
)
