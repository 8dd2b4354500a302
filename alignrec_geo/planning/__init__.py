"""What a training run will take, in memory and time, before anything is trained."""

from alignrec_geo.planning.devices import device_rates
from alignrec_geo.planning.plan import Plan, plan
from alignrec_geo.planning.problem import Problem
from alignrec_geo.planning.rates import Rates

__all__ = ["Plan", "Problem", "Rates", "device_rates", "plan"]
