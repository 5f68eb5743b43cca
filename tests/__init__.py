"""Tests of the repository; `tests/worker`, `tests/webhook` and `tests/infra` mirror the code."""

from pathlib import Path

# The repository.
ROOT = Path(__file__).parents[1]
