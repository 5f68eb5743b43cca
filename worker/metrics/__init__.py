"""Metrics for Prometheus: what each means, their fold over all shards, their page."""
