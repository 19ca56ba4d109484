"""The tour: five steps, each to a page that is there and holds what it speaks of."""

from __future__ import annotations

import re
from html import unescape

from fastapi.testclient import TestClient

from tests.app.test_pages import page


def test_each_step_leads_to_what_it_speaks_of(client: TestClient) -> None:
    tour = page(client, "/").split('id="tour"')[1].split("</ol>")[0]
    steps = re.findall(r"<li><h3>(.*?)</h3>.*?<a href=\"([^\"]+)\">", tour)
    assert [title for title, _href in steps] == [
        "What is dense?", "What is a mirror pair?", "What does it follow?", "Is it needed?", "What do we do?",
    ]  # fmt: skip
    for title, href in steps:
        path, _, anchor = unescape(href).partition("#")
        html = page(client, path)
        assert not anchor or f'id="{anchor}"' in html, title
    assert "/pairs/" in dict(steps)["What is a mirror pair?"]
