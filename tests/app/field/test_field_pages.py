"""Pages of rows: the labels first, then units, and nothing that only text has."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from app.field.routes import find_image
from app.main import create_app
from app.settings import Settings
from tests.field_world import COPY, DEFECT, MACHINE, NEVER, NOISE, factory

UNIT = "/saes/press/hidden/latents"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a small factory, with pictures and remarks."""
    from analysis.field.command import analyze
    from analysis.field.config import FieldConfig

    folder = tmp_path_factory.mktemp("field")
    made = factory(folder)
    lines = made.table.read_text().splitlines()
    more = [f"{line},{row}.png,<b>remark {row}</b>" for row, line in enumerate(lines[1:])]
    made.table.write_text("\n".join([lines[0] + ",picture,remark", *more]))
    config = FieldConfig(
        activations=[str(made.matrix)], table=str(made.table), db=str(folder / "f.db"), name="press", id="part",
        group="machine", order="time", image="picture", text="remark",
    )  # fmt: skip
    analyze(config, Console(quiet=True))
    return folder / "f.db"


@pytest.fixture
def client(db: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db=str(db))), base_url="http://localhost") as made:
        yield made


def page(client: TestClient, address: str) -> str:
    """Its text, without markup."""
    found = client.get(address)
    assert found.status_code == 200, address
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.text)))


def test_the_entry_says_which_labels_are_followed_and_by_what(client: TestClient) -> None:
    text = page(client, "/")
    assert "Does anything follow my labels?" in text
    assert "2 of 3 labels are followed" in text
    assert f"L0/{DEFECT}" in text
    assert f"L0/{COPY} is a copy of it." in text
    assert f"L0/{MACHINE} goes with it only through machine." in text
    assert "None of" in text  # of the line
    assert text.count("What predicts it, in groups kept out") == 3
    assert "'defect' is column 5" in text  # what was said of the data
    assert page(client, "/labels").count("What predicts it") == 3


def test_a_units_page_has_its_labels_rows_and_groups(client: TestClient) -> None:
    text = page(client, f"{UNIT}/{DEFECT}")
    assert "It follows defect." in text
    assert "no: shuffled labels reach as much" in text
    for heading in ("Which labels does it follow?", "Over the order of the rows", "How often, group by group", "Rows"):
        assert heading in text
    assert re.search(r"row P\d{5} machine M\d\d", text)
    assert "remark" in text
    assert "<b>remark" not in client.get(f"{UNIT}/{DEFECT}").text  # a text is text
    assert "In two halves by machine (12 and 12) it is on in" in text
    assert "It follows defect in both halves." in text
    assert "Is it needed? defect predicted worse without it" in text
    assert re.search(r"without this one [\d.]+ points less \([\d.]+ points to [\d.]+ points\); of \d dense units", text)
    assert "Is it needed?" not in page(client, f"{UNIT}/{NOISE}")
    assert "only through machine" in page(client, f"{UNIT}/{MACHINE}")
    assert "a copy of it, put in with the data" in page(client, f"{UNIT}/{COPY}")
    assert "No label goes with this unit." in page(client, f"{UNIT}/{NOISE}")
    assert "Never on in 1,440 rows" in page(client, f"{UNIT}/{NEVER}")


@pytest.mark.parametrize("address", ["/", "/latents", f"{UNIT}/{DEFECT}", "/saes/press/hidden"])
def test_nothing_speaks_of_what_rows_do_not_have(client: TestClient, address: str) -> None:
    text = page(client, address).split("JSON")[0]
    found = re.findall(r"\b(tokens?|documents?|corpus|unembedding|FVU|logit)\b", text.split("Keys", 1)[0])
    assert found == []
    assert 'href="/layers' not in client.get(address).text


def test_the_list_names_the_labels_that_units_follow(client: TestClient) -> None:
    text = page(client, "/latents?label=defect")
    assert "L0/0" in text
    assert f"L0/{MACHINE} " not in text
    assert "goes with “defect”" in text
    assert "AUC" in text
    assert client.get("/api/v1/saes/press/hidden/latents/0").json()["density"] > 0.5
    labels = {one["name"]: one for one in client.get("/api/v1/labels").json()}
    assert set(labels) == {"line", "defect", "heat"}
    best = labels["defect"]["power"]["press/hidden"][0]
    assert (best["of"], best["measure"], best["unit"]) == ("best", "auc", DEFECT)


def test_a_note_on_a_unit_is_kept(client: TestClient) -> None:
    sent = {"version": "0", "note": "sees defects", "verdict": "keep", "name": "Ada", "category": ""}
    answer = client.post(f"{UNIT}/{DEFECT}/annotation", data=sent, headers={"Origin": "http://localhost"})
    assert answer.status_code == 200
    assert "sees defects" in page(client, f"{UNIT}/{DEFECT}")


def test_pictures_come_from_their_folder_alone(db: Path, tmp_path: Path) -> None:
    folder, outside = tmp_path / "pictures", tmp_path / "secret.png"
    folder.mkdir()
    for path in (folder / "3.png", outside, folder / "page.html"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "link.png").symlink_to(outside)
    with TestClient(create_app(Settings(db=str(db), images=folder)), base_url="http://localhost") as client:
        assert client.get("/images/3.png").headers["content-type"] == "image/png"
        assert 'src="/images/' in client.get(f"{UNIT}/{DEFECT}").text
        for name in ("../secret.png", "..%2fsecret.png", "link.png", "page.html", "none.png", "%00.png", "a" * 5000):
            assert client.get(f"/images/{name}").status_code in {400, 404, 414}, name
    assert find_image(None, "3.png") is None


def test_without_a_folder_pictures_are_named_not_shown(client: TestClient) -> None:
    shown = client.get(f"{UNIT}/{DEFECT}").text
    assert 'src="/images/' not in shown
    assert re.search(r"\d+\.png", shown)
    assert client.get("/images/3.png").status_code == 404
