"""One trace a job, sent over OTLP when it has ended: made from its history, if a setting asks."""
