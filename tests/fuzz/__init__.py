"""Mutated requests; a short run by default, a long one by FALHOOK_FUZZ_EXAMPLES."""
