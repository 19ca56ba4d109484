"""`serve`: check first, in plain words, then listen."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from starlette.types import ASGIApp

from app.http.auth import token_of
from app.http.errors import ServeError
from app.http.origins import host_of, origin_of
from app.http.proxies import check_width, header_name, network_of
from app.live.process import LiveProcess, check_installed
from app.settings import Settings
from migrations.runner import current_revision, head_revision
from store.backup import check_file
from store.session import database_url, make_engine, sqlite_path, without_password

Db = Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")]
Port = Annotated[int, typer.Option(help="0 takes any free one.")]


EXAMPLES = (
    "serve --db my.db",
    "serve --db my.db --port 8080 --read-only",
    "serve --db my.db --host 0.0.0.0 --token-file token.txt",
    "serve --db my.db --live",
)
"""How it is called, for the end of its help."""


def serve(
    db: Db = "dense-latents.db",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8000,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow an address others can reach, with nobody asked.")
    ] = False,
    allowed_host: Annotated[list[str] | None, typer.Option(help="Further Host names to answer to.")] = None,
    embed_origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may frame a latent's panel; may be repeated.")
    ] = None,
    public_url: Annotated[
        str, typer.Option(help="Origin people reach this server by, for link previews; by default as asked.")
    ] = "",
    token: Annotated[
        str | None,
        typer.Option(envvar="DENSE_LATENTS_TOKEN", help="What everybody must know to come in; 16 characters or more."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the token: a command line can be seen by others.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="Address or range of a proxy whose word is believed; may be repeated.")
    ] = None,
    user_header: Annotated[str, typer.Option(help="Header in which it names who asks.")] = "X-Forwarded-User",
    read_only: Annotated[bool, typer.Option("--read-only", help="Nobody may write.")] = False,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures that rows of activations name; only these are shown.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many answer; one uses one core.")] = 1,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Readers may try texts of their own: a process beside the server holds the model and the SAEs of the"
            " suite shown, from the first text on. Needs what `analyze` needs.",
        ),
    ] = False,
) -> None:
    """Show what is in the store, in a browser. Needs neither torch nor the model, but with --live."""
    if live:
        check_installed()
    check_port(host, port)
    asked, proxies = token_of(token, token_file), tuple(trusted_proxy or ())
    networks = [network_of(proxy) for proxy in proxies]
    for network in () if insecure else networks:
        check_width(network)
    check_address(host, insecure, asks=bool(asked or proxies))
    check_database(db)
    if images is not None and not images.is_dir():
        raise ServeError(f"--images {images}: expected a folder; found {'a file' if images.exists() else 'nothing'}")
    public = public_url and origin_of(public_url, "--public-url")
    framing = tuple(origin_of(one, "--embed-origin") for one in embed_origin or [])
    names = (*(allowed_host or []), host, *([host_of(public)] if public else []))
    listening = listen(host, port)
    settings = Settings(
        db=db,
        allowed_hosts=names,
        any_address=insecure or not is_loopback(host),  # others reach it by its address
        read_only=read_only,
        token=asked,
        trusted_proxies=proxies,
        user_header=header_name(user_header),
        embed_origins=framing,
        public_url=public,
        images=images,
    )
    with LiveProcess(db) if live else nullcontext() as beside:
        settings = replace(settings, live=beside.path if beside else "")
        run(partial(_application, settings), listening, host, processes)


def _application(settings: Settings) -> ASGIApp:
    """The server's object, made in the process that answers with it."""
    from app.main import create_app

    parent = parent_process()
    if parent is not None:  # one of several: killed, the first cannot stop the others
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return create_app(settings)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def run(application: Callable[[], ASGIApp], listening: socket.socket, host: str, processes: int) -> None:
    """Answer with an application until interrupted.

    Args:
        application: makes it, in each process anew; to be pickled where there are several.
    """
    import uvicorn  # after the checks: a wrong path should not wait for it
    from uvicorn.supervisors import Multiprocess

    from app.commands.processes import Processes

    config = uvicorn.Config(
        application() if processes == 1 else application,
        factory=processes > 1,
        workers=processes,
        timeout_worker_healthcheck=60,  # one that starts on a busy machine is not dead
        http="h11",  # bounds what it reads of a request before it is whole; httptools, which "auto" takes, does not
        log_level="warning",
        access_log=False,  # addresses may carry the token
        proxy_headers=False,  # it would let any local process choose its peer's address: see app.http.proxies
        server_header=False,
        timeout_graceful_shutdown=5,
        ws="none",
    )
    shown, port = f"[{host}]" if ":" in host else host, listening.getsockname()[1]
    server: uvicorn.Server | Multiprocess
    if processes == 1:
        server = uvicorn.Server(config)
    elif sys.platform == "linux":
        listening.close()
        server = Processes(config, partial(listen, host, port, shared=True))
    else:
        server = Multiprocess(config, [listening])
    print(f"Dense Latents: http://{shown}:{port}  (Ctrl-C stops)", flush=True)
    with listening:
        server.run(sockets=[listening]) if isinstance(server, uvicorn.Server) else server.run()


def check_address(host: str, insecure: bool, asks: bool = False) -> None:
    """Loopback, or one where people are asked who they are, or open because that was asked for.

    Args:
        asks: a token or a proxy's word is needed to come in.

    Raises:
        ServeError: other machines could reach `host`.
    """
    if not (insecure or asks or is_loopback(host)):
        raise ServeError(
            f"{host} can be reached by other machines, and nobody would be asked who they are; use 127.0.0.1, "
            "add --token or --trusted-proxy, or open it to all with --insecure"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`. Names other than localhost may resolve to anything: no."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_database(db: str) -> None:
    """It is there, it is a database, and its schema is ours.

    Raises:
        ServeError, StoreError: one of these does not hold.
    """
    try:
        path = sqlite_path(database_url(db))
    except ArgumentError as error:
        raise ServeError(f"{db} is no database URL: {error}") from error
    if path is not None:
        if not path.exists():
            raise ServeError(f"{path} does not exist; `dense-latents analyze --db {path}` makes it")
        check_file(path)
    try:
        engine = make_engine(db, read_only=True)
        found = current_revision(engine)
        engine.dispose()
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        raise ServeError(f"{path or without_password(db)} cannot be read: {str(error).splitlines()[0]}") from error
    _check_revision(path or without_password(db), found, head_revision())


def _check_revision(name: object, found: str | None, expected: str) -> None:
    if found is None:
        raise ServeError(f"{name} holds no dense-latents store: expected schema {expected}, found none")
    if found != expected:
        mend = "update dense-latents" if found > expected else f"run `dense-latents db upgrade --db {name}`"
        raise ServeError(f"{name} has schema {found}, this server expects {expected}; {mend}")


def check_port(host: str, port: int) -> None:
    """Whether one could listen there: asked before work that takes a while.

    Raises:
        ServeError: the port is taken, or the address is not this machine's.
    """
    listen(host, port).close()


def listen(host: str, port: int, shared: bool = False) -> socket.socket:
    """A bound socket: taken before anything is printed, so the printed address is true.

    Args:
        shared: other processes of ours may listen there, too.

    Raises:
        ServeError: the port is taken, or the address is not this machine's.
    """
    if not 0 <= port <= 65535:
        raise ServeError(f"port {port} is none; choose one from 1 to 65535, or 0 for any free one")
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: with it, every answer that is written in
    # two parts, as head and body are, waits 40 ms for the reader's acknowledgement
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((name, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise ServeError(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port") from error
    return made
