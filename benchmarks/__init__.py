"""
What the engine costs, against baselines and peers measured in the same run.

Run `python -m benchmarks --help`. Not part of the installed package, and no
test of correctness: that is `tests/`.
"""
