"""The command ``python -m infra.local.fal``, which runs a simulated fal until a signal."""

import argparse
import contextlib
import json
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

from infra.local.fal.app import create_app
from infra.local.fal.log import log_to_stderr
from infra.local.fal.models import KLING_APPS
from infra.local.fal.server import listen, serve
from infra.local.fal.simulator import Account, Timing, new_key, simulate
from infra.local.fal.tls import Certificates, issue


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.fal", description="Run a simulated fal until SIGINT or SIGTERM."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="port to listen on; 0 selects a free one")
    add("--name", default="localhost", help="host name in the URLs and the certificate")
    add("--directory", type=Path, help="directory of certificates and files (default: temporary)")
    add("--media-cache", type=Path, help="directory of generated clips (default: in --directory)")
    add("--key", help="API key to accept, id:secret (default: random)")
    add("--user-id", default="user-sim-0001", help="account that callbacks are signed for")
    add("--app", action="append", default=[], help="additional app OWNER/ALIAS; repeatable")
    add("--concurrency", type=int, default=40, help="maximum number of concurrent renders")
    add("--speed", type=_positive, default=1.0, help="how many times faster fal's time passes")
    add("--render-seconds", type=float, default=6.0, help="duration of a render in fal's time")
    add(
        "--first-patience",
        type=float,
        default=15.0,
        help="timeout of the first callback in real seconds",
    )
    add("--patience", type=float, default=120.0, help="timeout of each retry in real seconds")
    return parser.parse_args()


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _announcement(args: argparse.Namespace, certificates: Certificates, port: int) -> str:
    host = f"{args.name}:{port}"
    environment = {
        "FAL_KEY": args.key,
        "FAL_QUEUE_RUN_HOST": host,
        "FAL_RUN_HOST": host,
        "FAL_REST_HOST": host,
        "SSL_CERT_FILE": str(certificates.bundle),
        "FALHOOK_FAL_API_HOST": host,
        "FALHOOK_JWKS_URL": f"https://{host}/.well-known/jwks.json",
        "FALHOOK_FAL_USER_IDS": args.user_id,
        "FALHOOK_DOWNLOAD_HOSTS": host,
    }
    url, ca_file = f"https://{host}", str(certificates.ca_file)
    return json.dumps({"environment": environment, "url": url, "ca_file": ca_file})


def _serve(args: argparse.Namespace, directory: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    certificates = issue(directory, args.name)
    app = create_app(
        partial(
            simulate,
            url=f"https://{args.name}:{port}",
            directory=directory,
            cache=args.media_cache or directory / "media",
            account=Account(
                key=args.key,
                user_id=args.user_id,
                apps=KLING_APPS | frozenset(args.app),
                concurrency=args.concurrency,
            ),
            timing=Timing(
                speed=args.speed,
                render_seconds=args.render_seconds,
                timeouts=(args.first_patience, args.patience),
            ),
            certificates=certificates,
        )
    )
    serve(app, listener, certificates, _announcement(args, certificates, port))


def main() -> None:
    """Serve until SIGINT or SIGTERM; exit with code 2 if the address is not available."""
    args = _arguments()
    args.key = args.key or new_key()
    log_to_stderr()
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(listen(args.host, args.port))
        except OSError as error:
            address = f"{args.host}:{args.port}"
            print(f"Cannot listen on {address}: {error}. Choose another --port.", file=sys.stderr)
            sys.exit(2)
        directory = args.directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fal-"))
        )
        _serve(args, directory, listener)


if __name__ == "__main__":
    main()
