"""A simulated fal: the queue, the signed callbacks and the files of fal.ai, on this machine.

It implements the public protocol over TLS, so an unmodified fal-client (or any other HTTP client)
reaches it through ``FAL_QUEUE_RUN_HOST`` and ``SSL_CERT_FILE``. A request can ask for mishaps. It
does not depend on the program that uses it.
"""
