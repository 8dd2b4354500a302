"""One ranking pass, all metrics, per user."""

from alignrec_geo.evaluation.evaluator import Evaluation, Evaluator
from alignrec_geo.evaluation.protocols import Protocol

__all__ = ["Evaluation", "Evaluator", "Protocol"]
