"""Colours of the served stylesheet: seen on their ground, and told apart by eyes that lack a kind of cone.

Contrast is WCAG 2.2's. Eyes are those of Machado, Oliveira and Fernandes (2009) at full severity, in linear RGB.
Distance is that of CIE 1976 in L*a*b* (D65): with these the six classes of the paper are 11.6 (light) and 14.7 (dark)
apart at least, as the design says.
"""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from fastapi.testclient import TestClient

from app.classes.groups import GROUPS, fill_of
from app.classes.palette import contrast
from app.classes.views import CLASSES
from store.vocabulary import UNMEASURED
from tests.app.chromium import Open
from tests.app.in_chromium.test_pages_in_chromium import ALL

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

SCHEMES = ("light", "dark")
TEXT = ("--ink", "--dim")
GROUNDS = ("--card", "--bg")
EYES: dict[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
XYZ: Matrix = (
    (0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041),
)  # fmt: skip
WHITE = (0.95047, 1.0, 1.08883)
OF_THE_PAPER = {
    "position": ("#6d3bb5", "#8b6cf6"),
    "context_binding": ("#10a294", "#2dd4bf"),
    "null_space": ("#2f3b4c", "#e2e8f0"),
    "alphabet": ("#b5226c", "#e0529a"),
    "content_word": ("#3d6b12", "#6fa32a"),
    "principal_component": ("#b8860b", "#facc15"),
}
"""As DESIGN.md has them."""
LEAST = {"light": 11.0, "dark": 14.0}
"""Distance of any two classes, for any eye."""
LEAST_FOR_ALL_CONES = 20.0


def times(matrix: Matrix, vector: Vector) -> Vector:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def linear(colour: str) -> Vector:
    def channel(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (channel(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return red, green, blue


def lab(colour: str, eye: str = "all cones") -> Vector:
    """A colour as an eye has it, in L*a*b*."""
    red, green, blue = (min(1.0, max(0.0, value)) for value in times(EYES[eye], linear(colour)))

    def f(value: float) -> float:
        return value ** (1 / 3) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116

    x, y, z = (f(value / white) for value, white in zip(times(XYZ, (red, green, blue)), WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eye: str = "all cones") -> float:
    pairs = zip(lab(one, eye), lab(other, eye), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def closest(colours: dict[str, str]) -> tuple[float, str, str, str]:
    """The two that an eye tells apart worst, and that eye."""
    pairs = list(combinations(colours.items(), 2))
    return min((distance(a, b, eye), eye, one, other) for eye in EYES for (one, a), (other, b) in pairs)


@pytest.fixture
def style(client: TestClient) -> str:
    """The stylesheet that pages load."""
    found = re.search(r'<link rel="stylesheet" href="([^"]+)"', client.get("/").text)
    assert found
    answer = client.get(found[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    return answer.text


@pytest.fixture
def shown(style: str) -> dict[str, dict[str, str]]:
    """By scheme: each variable's colour."""
    known = re.findall(r"(--[\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    return {
        "light": {name: light for name, light, _dark in known},
        "dark": {name: dark for name, _light, dark in known},
    }


def of_classes(held: dict[str, str]) -> dict[str, str]:
    return {name: held[view.variable] for name, view in CLASSES.items()}


def test_the_maths_has_the_known_values() -> None:
    # WCAG: black on white is 21, #777777 on white 4.48; Lab of sRGB's red and blue as Lindbloom has them
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert lab("#ff0000") == pytest.approx((53.24, 80.09, 67.20), abs=0.02)
    assert lab("#0000ff") == pytest.approx((32.30, 79.19, -107.86), abs=0.02)
    assert lab("#ffffff") == pytest.approx((100, 0, 0), abs=0.02)
    # a grey is the same grey for any eye
    assert max(distance("#808080", "#808080", eye) for eye in EYES) == 0
    assert all(lab("#808080", eye) == pytest.approx(lab("#808080"), abs=0.1) for eye in EYES)
    # red and green of one lightness fall together without the cones for red or green, and not without those for blue
    apart = {eye: distance("#d04a4a", "#5f8a2f", eye) for eye in EYES}
    assert apart["deuteranopia"] < apart["all cones"] / 2 < apart["tritanopia"]


def test_classes_of_the_paper_have_the_colours_of_the_design(shown: dict[str, dict[str, str]]) -> None:
    for place, scheme in enumerate(SCHEMES):
        held = of_classes(shown[scheme])
        assert {name: held[name] for name in OF_THE_PAPER} == {name: both[place] for name, both in OF_THE_PAPER.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_class_stands_out_from_its_ground(shown: dict[str, dict[str, str]], scheme: str) -> None:
    held = shown[scheme]
    assert {
        name: seen
        for name, colour in of_classes(held).items()
        if (seen := min(contrast(colour, held[ground]) for ground in GROUNDS)) < 3
    } == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_is_read_on_its_ground(shown: dict[str, dict[str, str]], scheme: str) -> None:
    held = shown[scheme]
    pairs = [(ink, ground) for ink in TEXT for ground in (*GROUNDS, "--soft")]
    pairs += [(pole, ground) for pole in ("--p", "--n") for ground in GROUNDS]
    pairs += [(f"{view.variable}-ink", view.variable) for view in CLASSES.values()]
    pairs += [(fill.ink, fill.colour) for group in GROUPS if (fill := fill_of(group)).letter]
    assert {pair: seen for pair in pairs if (seen := contrast(held[pair[0]], held[pair[1]])) < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_eye_tells_classes_apart(shown: dict[str, dict[str, str]], scheme: str) -> None:
    held = of_classes(shown[scheme])
    assert closest(held)[0] >= LEAST[scheme], closest(held)
    assert closest({name: held[name] for name in OF_THE_PAPER})[0] >= LEAST[scheme]
    assert min(distance(one, other) for one, other in combinations(held.values(), 2)) >= LEAST_FOR_ALL_CONES


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_no_class_is_pale_and_has_an_outline(shown: dict[str, dict[str, str]], scheme: str) -> None:
    held = shown[scheme]
    several, unexplained, partly = (contrast(held[f"--{name}"], held["--card"]) for name in _NO_CLASS)
    assert several > unexplained > partly > 1
    for group in GROUPS:
        assert contrast(held[fill_of(group).edge], held["--card"]) >= 3


_NO_CLASS = ("several", "unexplained", "partly")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_layers_are_a_ramp(shown: dict[str, dict[str, str]], scheme: str) -> None:
    ramp = [shown[scheme][f"--layer{step}"] for step in range(8)]
    seen = [contrast(colour, shown[scheme]["--card"]) for colour in ramp]
    assert seen == sorted(seen)
    assert seen[0] >= 3


def test_every_group_has_a_mark_and_letters_are_unique(style: str) -> None:
    marks = dict(re.findall(r'^\.k-([\w-]+) \{.*--k-letter: "(.)"; \}$', style, re.M))
    assert set(marks) == {name.replace("_", "-") for name in (*CLASSES, *GROUPS)}
    letters = [letter for letter in marks.values() if letter != "\u00a0"]
    assert len(set(letters)) == len(letters) >= len(CLASSES)
    assert fill_of(UNMEASURED).hatch  # dots tell it from what is unexplained


def test_no_file_but_its_view_has_a_class_s_colour(style: str) -> None:
    written = style[: style.index("/* classes, from their views */")]
    own = [shade for view in CLASSES.values() if view.colour for shade in view.colour]
    assert [shade for shade in own if shade in written] == []
    named = [(name, mark) for name in CLASSES for mark in (f".k-{name.replace('_', '-')}", CLASSES[name].variable)]
    assert [(name, mark) for name, mark in named if mark in written] == []


def test_distances_within_a_page_are_of_one_scale(style: str) -> None:
    """Of the screen; paper has its own."""
    rules = style[style.index("/* text and page */") : style.index("@page {")]
    distance_in_rem = r"(?<![\w-])(?:margin|padding|gap|row-gap|column-gap)[\w-]*: [^;}]*?(?<![\w.-])-?[\d.]+rem"
    assert re.findall(distance_in_rem, rules) == []


SMALL = """() => {
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility() || one.closest("script, style, noscript")) continue;
    const size = parseFloat(getComputedStyle(one).fontSize);
    if (size < (one.closest(".canvas") ? 12 : 14)) found.add(`${one.tagName} ${one.getAttribute("class")}: ${size}`);
  }
  return [...found];
}"""


@pytest.mark.parametrize("width", [1280, 400])
def test_text_is_14_pixels_at_least_and_12_in_plots(visit: Open, width: int) -> None:
    window = visit(viewport={"width": width, "height": 900})
    small = {}
    for path in ALL:
        page = window.go(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        if found := page.evaluate(SMALL):
            small[path] = found
    assert small == {}
