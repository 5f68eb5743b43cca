"""The job: its states, its record in Redis, and the one compare-and-set that changes it."""
