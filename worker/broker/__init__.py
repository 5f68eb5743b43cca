"""Celery: the client, the Redis transport, heartbeats."""
