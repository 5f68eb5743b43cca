"""The Redis hash in which the benchmark's worker notes starts: job id → Unix seconds."""

STARTED = "bench:started"
