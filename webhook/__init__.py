"""The receiver: the public HTTP endpoint for fal's callbacks.

app, composition    the ASGI application, and the objects that it is built from
receiver            one callback, from its address to its answer; body and responses belong to it
verification/       proof that a callback comes from fal: signature, public keys, source addresses
inbox, publisher    verified callbacks stored in Redis, and the Celery messages that wake `ingest`
contract            what receiver and workers share: addresses, inbox, queue and task names
redis/              how every process reaches Redis; broker and rabbitmq: how Celery does
server/             uvicorn with limits on every connection; capacity limits the whole process
health, metrics     /healthz, /readyz and /metrics
serve, processes/   one process, or several that share a port and their metrics
settings/, log/     settings from the environment, and structured logging; the workers use them too
"""
