"""Where the bench's worker notes when each ingest began: a hash, job id → Unix seconds."""

STARTED = "bench:started"
