"""Benchmarks, which the default suite skips: `python -m tests.bench.receiver` and `.media`."""
