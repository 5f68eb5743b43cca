"""The options after the ? of a Redis URL, TLS among them."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

_CERTIFICATES = frozenset({"none", "optional", "required"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS = ("ssl_cert_reqs", "ssl_check_hostname", *_TLS_FILES, "ssl_ca_path", "ssl_password")
_OPTIONS = ("db", "virtual_host", "username", "password")


def read_options(query: str, further: Collection[str] = ()) -> dict[str, str]:
    """Return the options of a URL. Raises ValueError for others than known and `further` ones."""
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    _refuse_unknown(options, (*_OPTIONS, *_TLS, *further))
    if len(options) < len(pairs):
        raise ValueError("has the same option twice")
    return options


def tls_of(scheme: str, options: Mapping[str, str]) -> dict[str, object] | None:
    """Return redis-py's TLS options for a URL of this scheme; None without TLS."""
    if scheme.startswith("rediss"):
        return tls_options(_only(options, _TLS))
    if named := [name for name in options if name.startswith("ssl_")]:
        raise ValueError(
            f"has the option {named[0]}, which needs {scheme.replace('redis', 'rediss', 1)}:// "
            f"instead of {scheme}://"
        )
    return None


def _refuse_unknown(options: Iterable[str], known: Collection[str]) -> None:
    for name in options:
        if name not in known:
            supported = f" (supported: {', '.join(known)})" if known else ""
            raise ValueError(
                f"has the option {name}, which falhook does not support: leave it out{supported}"
            )


def _only(options: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: options[name] for name in names if name in options}


def tls_options(options: Mapping[str, str], *, refused: Collection[str] = ()) -> dict[str, object]:
    """Return redis-py's TLS options; the certificate is verified unless the URL says otherwise.

    Raises ValueError for names other than those, and for `refused` ones.
    """
    _refuse_unknown(options, [name for name in _TLS if name not in refused])
    wanted = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    checked = options.get("ssl_check_hostname", "true").lower()
    if wanted not in _CERTIFICATES:
        raise ValueError("has an ssl_cert_reqs other than none, optional and required")
    if checked not in _TRUTH:
        raise ValueError("has an ssl_check_hostname other than true and false")
    for name in _TLS_FILES:
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"has an {name} that names no file")
    if "ssl_ca_path" in options and not Path(options["ssl_ca_path"]).is_dir():
        raise ValueError("has an ssl_ca_path that names no directory")
    verified = wanted != "none" and _TRUTH[checked]
    rest = _only(options, (*_TLS_FILES, "ssl_ca_path", "ssl_password"))
    return {"ssl_cert_reqs": wanted, "ssl_check_hostname": verified, **rest}
