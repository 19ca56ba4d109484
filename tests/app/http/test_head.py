"""HEAD on every address that GET has."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.app.servers import addresses, serving


def test_every_address_that_is_read_answers_head_as_get(application: FastAPI, client: TestClient) -> None:
    for address in addresses(application):
        got, head = (client.request(method, address, follow_redirects=False) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (got.status_code, b""), address
        assert dict(head.headers) == dict(got.headers), address


def test_what_is_only_written_has_no_head(client: TestClient) -> None:
    assert client.head("/annotations/many").status_code == 405


@pytest.mark.parametrize("path", ["/", "/latents.csv?dense=any", "/healthz"])
def test_a_connection_is_good_for_more_after_it(store: str, tmp_path: Path, path: str) -> None:
    with serving(store, tmp_path / "log") as server:
        asked = f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        with (
            server.raw(f"{asked}Connection: close\r\n\r\n".encode()) as connection,
            connection.makefile("rb") as answer,
        ):
            text = answer.read()
        assert text.count(b"HTTP/1.1 200") == 2
        assert text.count(b'{"status":"ok"}') == 1
        assert server.said().count("\n") == 1, server.said()
