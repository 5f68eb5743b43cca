"""Signed webhooks out: who is told of a job's events, what they are owed, and its delivery."""
