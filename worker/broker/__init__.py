"""Celery's side: the client, the Redis transport, heartbeats, time limits."""
