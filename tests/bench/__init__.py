"""Timings; run by `python -m tests.bench.receiver`, never by the default suite."""
