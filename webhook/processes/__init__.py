"""Several receiver processes on one port: their start, replacement and common metrics."""
