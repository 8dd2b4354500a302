"""For tests of models that people add: data sets with known answers, and the suite every model must pass.

Neither pytest nor any other runner is imported.
"""

from alignrec_geo.testing.data import checkerboard, parity_by_content, random_pairs, ring
from alignrec_geo.testing.known_answers import KnownAnswers

__all__ = ["KnownAnswers", "checkerboard", "parity_by_content", "random_pairs", "ring"]
