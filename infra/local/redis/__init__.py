"""The Redis of the local stack: embedded, or the one that REDIS_URL names."""
