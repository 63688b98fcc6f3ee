"""
Benchmarks of the engine against baselines and other engines, measured in the same run.

Run `python -m benchmarks --help`. The installed package does not contain them.
"""
