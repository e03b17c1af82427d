"""A server that listens until a signal ends it."""

from __future__ import annotations

import os
import socket

import click
import uvicorn

from loganalyzer.errors import UsageError
from loganalyzer.web.app import app_of
from loganalyzer.web.logs import log_to_stderr
from loganalyzer.web.server import open_server
from loganalyzer.web.settings import ServerSettings

#: Seconds that requests under way get when the server is to end.
_GRACE = 10


def serve(
    settings: ServerSettings,
    host: str,
    port: int,
    user: str,
    certificate: str | None,
    key: str | None,
    *,
    proxied: bool,
) -> None:
    """Prints the address and a sign-in link, and serves.

    Raises:
        UsageError: the folder or the port cannot be used.
    """
    os.umask(0o077)  # logs of customers are nobody else's on this machine
    server = open_server(settings)
    try:
        listener = _listener(host, port)
    except OSError as error:
        server.close()
        raise UsageError(
            f"port {port} of {host} cannot be used: {error.strerror}", help="give another --port"
        ) from None
    scheme = "https" if certificate is not None else "http"
    shown = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{shown}:{listener.getsockname()[1]}"
    link = f"{address}/sign-in?code={server.access.invite(user, admin=True)}"
    click.echo(f"loganalyzer serves on {address}\nsign in, once and within 15 minutes: {link}\nCtrl+C ends it")
    log_to_stderr()
    config = uvicorn.Config(
        app_of(server),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=proxied,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=_GRACE,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; else each further answer waits for an ack
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError:
        listener.close()
        raise
    return listener
