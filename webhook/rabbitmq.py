"""The address of a RabbitMQ as broker: a URL, and TLS options that kombu does not read from it."""

from urllib.parse import parse_qsl, urlsplit, urlunsplit

from webhook.redis.url_options import tls_options

_RABBITMQ = ("amqp", "amqps")
# py-amqp's names of redis-py's options.
_FILES = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
# py-amqp cannot be given these two.
_REDIS_ONLY = frozenset({"ssl_ca_path", "ssl_password"})


def parse_rabbitmq(url: str) -> tuple[str, dict[str, object] | None]:
    """Return a RabbitMQ URL without its options, and py-amqp's TLS options; None without TLS.

    The certificate is verified unless the URL says otherwise: kombu alone would not check the name
    in it. Raises ValueError, whose message completes a sentence that names the setting.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqs":
        raise ValueError(
            "cannot be Amazon SQS, which falhook does not support: use RabbitMQ (amqp://) or Redis"
        )
    if parts.scheme not in _RABBITMQ:
        raise ValueError(
            "must start with redis://, rediss://, redis+sentinel://, rediss+sentinel://, "
            "redis+socket://, unix://, amqp:// or amqps://"
        )
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("must have a port from 1 to 65535") from None
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    secure = parts.scheme == "amqps"
    options = tls_options(given, refused=_REDIS_ONLY if secure else frozenset(given))
    plain = urlunsplit(parts._replace(query=""))
    if not secure:
        return plain, None
    # Imported for TLS alone: every command that reads a broker's address imports this module.
    import ssl  # noqa: PLC0415

    verify = {
        "none": ssl.CERT_NONE,
        "optional": ssl.CERT_OPTIONAL,
        "required": ssl.CERT_REQUIRED,
    }
    tls: dict[str, object] = {
        "cert_reqs": verify[str(options["ssl_cert_reqs"])],
        "server_hostname": parts.hostname if options["ssl_check_hostname"] else None,
        **{_FILES[name]: value for name, value in options.items() if name in _FILES},
    }
    if tls["server_hostname"] is None:
        del tls["server_hostname"]  # kombu would put the host in its place
    return plain, tls
