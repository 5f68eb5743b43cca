"""The command line: `falhook`, also `python -m worker`."""
