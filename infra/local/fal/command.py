"""Runs a simulated fal with the options of a command line until a signal."""

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


def run(args: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM; exit with code 2 if the address is not available."""
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
