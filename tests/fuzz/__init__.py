"""Mutated requests: a short run by default, a longer one with FALHOOK_FUZZ_EXAMPLES."""
