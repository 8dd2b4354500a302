"""The known-answer suite as people use it who installed the package: without pytest, and able to fail."""

import subprocess
import sys

import pytest
import torch

from alignrec_geo.models import BPRMF
from alignrec_geo.testing import KnownAnswers, checkerboard, parity_by_content, random_pairs, ring


class Forgetful(BPRMF):
    """Leaves the items out of its loss."""

    def loss(self, batch):
        return {"nothing": self.encode().users[batch.users].square().mean()}


class Careless(BPRMF):
    """Draws from torch's global generator."""

    def reset_parameters(self, generator):
        super().reset_parameters(generator)
        with torch.no_grad():
            next(self.parameters()).add_(torch.rand(()))


class Suite(KnownAnswers):
    model = BPRMF
    config = {"dim": 8}
    test_an_interrupted_run_ends_as_an_unbroken_one = None
    test_checkerboard_every_user_gets_the_withheld_item_first = None
    epochs = 2


@pytest.mark.slow
def test_it_runs_without_a_runner():
    ended = Suite.run()
    assert ended["test_gradients_reach_every_parameter"] == "passed"
    assert ended["test_missing_feature"] == "skipped: uses no content"
    assert "test_an_interrupted_run_ends_as_an_unbroken_one" not in ended
    code = "import alignrec_geo.deferred_imports as later; later.defer_imports()\n"  # quicker
    code += "import sys, alignrec_geo.testing; sys.exit('pytest' in sys.modules or '_pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("kind", "test", "message"),
    [
        (Forgetful, "test_gradients_reach_every_parameter", "gets no gradient|is zero"),
        (Careless, "test_making_and_training_leave_the_global_generator_alone", "global generator was used"),
        (Careless, "test_same_seed_same_parameters_and_the_global_generator_is_left_alone", "differs between equal"),
    ],
)
def test_it_can_fail(kind, test, message):
    suite = type("Broken", (Suite,), {"model": kind})()
    with pytest.raises(AssertionError, match=message):
        getattr(suite, test)()


def test_small_data_sets():
    assert checkerboard(6).counts()["train"] == 12
    assert parity_by_content().interactions.n_items == 60
    assert ring(30).features("signal").present.sum() == 20
    assert random_pairs(seed=1).fingerprint() == random_pairs(seed=1).fingerprint() != random_pairs().fingerprint()
