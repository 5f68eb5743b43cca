"""Everything to run falhook: settings, Redis configuration, and a stack for one machine."""
