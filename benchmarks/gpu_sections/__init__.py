"""The parts of ``benchmarks/gpu.py``: one file per question, each run in a process of its own."""
