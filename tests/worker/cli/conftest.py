"""Fixtures of the command line's tests."""

from tests.factories.cli import ready_environment

__all__ = ["ready_environment"]
