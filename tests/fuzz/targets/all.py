"""All targets."""

from tests.fuzz.targets import encoders, folders, matrices, settings, tables
from tests.fuzz.targets import images as pictures

TARGETS = (
    *tables.TARGETS,
    *matrices.TARGETS,
    *pictures.TARGETS,
    *settings.TARGETS,
    *folders.TARGETS,
    *encoders.TARGETS,
)
