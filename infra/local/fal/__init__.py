"""A simulated fal: the queue, the signed callbacks and the files of fal.ai, on this machine.

It speaks the public protocol over TLS, so an unmodified fal-client (or any other HTTP client)
reaches it through ``FAL_QUEUE_RUN_HOST`` and ``SSL_CERT_FILE``, and it can be asked for mishaps.
It knows nothing of the program that uses it.
"""
