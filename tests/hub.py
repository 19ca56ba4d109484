"""A hub of one's own: folders served as repositories, by the part of the hub's protocol that downloads speak.

What is large (weights) is answered as the hub does: a redirect to another place, the SHA-256 as its tag; the rest by
git's hash of a file. A fault can be laid on any file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "c0ffee" + "0" * 34
LARGE = (".safetensors", ".npz", ".bin", ".pt")
CUT, TOO_LONG, BROKEN, MISSING, OTHER_BYTES = "cut", "too long", "500", "404", "other bytes"
FAULTS = (CUT, TOO_LONG, BROKEN, MISSING, OTHER_BYTES)


class Hub:
    """A server of repositories.

    Args:
        repositories: `owner/name` -> its folder.
    """

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.faults: dict[tuple[str, str], str] = {}  # of a file; of the list of files where it has no name
        self.sizes: dict[tuple[str, str], int] = {}  # said of a file, where not its own
        self.asked: list[str] = []
        self.url = ""

    def files(self, repository: str) -> dict[str, Path]:
        """Those of a repository, by their names in it."""
        folder = self.repositories[repository]
        return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}

    def fetched(self) -> set[str]:
        """`owner/name/file` of what was sent."""
        return {line.removeprefix("GET ") for line in self.asked if line.startswith("GET ")}

    @contextmanager
    def running(self) -> Iterator[Hub]:
        """Serve, on a port of its own."""
        self._start(0)
        yield self
        self._stop()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nobody listens at its port."""
        self._stop()
        yield
        self._start(self.port)

    def _start(self, port: int) -> None:
        hub = self

        class Bound(_Answers):
            served = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Bound)
        self.port = int(self.server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def etag(path: Path) -> str:
    """SHA-256 of what is large, git's SHA-1 of the rest."""
    data = path.read_bytes()
    if path.suffix in LARGE:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"
    timeout = 1  # a connection that says no more is closed, or the server waits for it to end

    def do_HEAD(self) -> None:  # the library's name
        self._answer()

    def do_GET(self) -> None:  # the library's name
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # the library's name
        pass

    def _answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[0] == "datasets":  # addresses of files; those of models have no such beginning
            parts = parts[1:]
        if parts[:2] in (["api", "models"], ["api", "datasets"]) and len(parts) >= 4:
            self._api("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "large" and len(parts) > 3:
            self._file("/".join(parts[1:3]), "/".join(parts[3:]), redirected=True)
        elif len(parts) > 4 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), "/".join(parts[4:]), redirected=False)
        else:
            self._refuse(404, "RepoNotFound")

    def _api(self, repository: str, rest: list[str]) -> None:
        if repository not in self.served.repositories:
            self._refuse(404, "RepoNotFound")
            return
        if self.served.faults.get((repository, "")) == BROKEN:
            self._refuse(500, "")
            return
        if rest[:1] == ["revision"] and rest[1] not in ("main", REVISION):
            self._refuse(404, "RevisionNotFound")
            return
        files = self.served.files(repository)
        if rest[:1] == ["tree"]:
            self._json([self._entry(name, path) for name, path in files.items()])
        else:
            names = [
                {"rfilename": name, "size": self.served.sizes.get((repository, name), path.stat().st_size)}
                for name, path in files.items()
            ]
            about = {"id": repository, "modelId": repository, "sha": REVISION, "private": False, "tags": []}
            self._json(about | {"siblings": names, "downloads": 0, "likes": 0})

    def _entry(self, name: str, path: Path) -> dict[str, Any]:
        size = path.stat().st_size
        large = {"lfs": {"oid": etag(path), "size": size, "pointerSize": 134}} if path.suffix in LARGE else {}
        return {"type": "file", "oid": etag(path)[:40], "size": size, "path": name} | large

    def _file(self, repository: str, name: str, *, redirected: bool) -> None:
        if repository not in self.served.repositories:
            self._refuse(404, "RepoNotFound")
            return
        path = self.served.files(repository).get(name)
        fault = self.served.faults.get((repository, name), "")
        if path is None or fault == MISSING:
            self._refuse(404, "EntryNotFound")
        elif fault == BROKEN:
            self._refuse(500, "")
        elif path.suffix in LARGE and not redirected:
            self._redirect(repository, name, path)
        else:
            self._send(repository, name, path, fault)

    def _redirect(self, repository: str, name: str, path: Path) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.served.url}/large/{repository}/{name}")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("X-Linked-Size", str(path.stat().st_size))
        self.send_header("X-Linked-Etag", f'"{etag(path)}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, repository: str, name: str, path: Path, fault: str) -> None:
        data = path.read_bytes()
        if fault == OTHER_BYTES:
            data = data[:-1] + bytes([data[-1] ^ 1])
        first, last = self._range(len(data))
        part = data[first : last + 1]
        self.send_response(206 if self.headers.get("Range") else 200)
        self.send_header("ETag", f'"{etag(path)}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        if self.headers.get("Range"):
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(len(part) + (64 if fault == TOO_LONG else 0)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.served.asked.append(f"GET {repository}/{name}")
        self.wfile.write(part[: len(part) // 2] if fault == CUT else part)
        self.close_connection = fault in (CUT, TOO_LONG)

    def _range(self, size: int) -> tuple[int, int]:
        asked = self.headers.get("Range")
        if not asked:
            return 0, size - 1
        first, last = asked.removeprefix("bytes=").split("-")
        return int(first), min(int(last), size - 1) if last else size - 1

    def _json(self, found: Any) -> None:
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", "0")
        self.end_headers()
