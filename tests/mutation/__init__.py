"""A mutation sample: small changes of the program, one at a time, each of which some test must notice.

``python -m tests.mutation`` draws 300 single-token mutants with a fixed seed over the packages whose answers matter,
proportional to their lines, and runs for each the tests that enter the changed function until one fails:

1. the tests and doctests of the mutant's own package;
2. for those still alive, the tests and doctests of the other seven packages that enter it.

Which test enters which function is measured once per test file (with coverage) and kept in ``build/mutation``. Mutants
run in a copy of the working tree, each in a fork of one process that has imported torch and everything else but the
program. Every mutant is a line of ``build/mutation/mutants.jsonl``, so that a run that was cut off goes on.

A test that fails without any change notices nothing; one that never ends has noticed.

What is not mutated: docstrings, annotations, the text of errors and warnings, ``__repr__``, assertions (``assert``,
``zip(strict=True)``, ``dataclass(frozen=True)``), f-strings, overloads.
"""
