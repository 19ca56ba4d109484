"""Numbers and tokens as a person reads them."""

from __future__ import annotations

import pytest

from app.shared import numbers as formats
from app.shared.tokens import one_sided, two_sided


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.381, "38.1 %"),
        (1.0, "100 %"),
        (0.9999, "> 99.9 %"),
        (0.9999667, "> 99.9 %"),
        (0.996, "99.6 %"),
        (0.0, "0 %"),
        (0.00012, "0.012 %"),
        (0.0512, "5.1 %"),
        (None, "—"),
        (0.00999, "1.0 %"),
        (0.0099, "0.99 %"),
        (1e-9, "<0.0001 %"),
    ],
)
def test_percent(share: float | None, shown: str) -> None:
    assert formats.percent(share).replace(formats.THIN, " ") == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.369, 0.393, "36.9–39.3 %"),
        (0.9999, 0.999996, "> 99.9 %"),
        (0.9999, 1.0, "> 99.9 %"),
        (0.998, 0.9999, "99.8–100 %"),
        (1.0, 1.0, "100 %"),
        (None, 0.5, ""),
    ],
)
def test_interval(low: float | None, high: float | None, shown: str) -> None:
    assert formats.interval(low, high).replace(formats.THIN, " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (41.2345, "41.2"),
        (-0.01234, "−0.0123"),
        (60000.0, "60,000"),
        (1234567.0, "1.23e6"),
        (1e-6, "1.00e−6"),
        (None, "—"),
        (0.9999, "1.000"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert formats.number(value) == shown


def test_cosines_keep_their_places_and_lose_a_zeros_sign() -> None:
    assert [formats.fixed(value) for value in (-0.95, 0.5, -0.001, None)] == ["−0.95", "0.50", "0.00", "—"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(3.21, "3.2 s"), (59.9, "1 min 0 s"), (97.4, "1 min 37 s"), (3720, "1 h 2 min")]
)
def test_duration(seconds: float, shown: str) -> None:
    assert formats.duration(seconds).replace(formats.THIN, " ") == shown


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" the", "␣the"),
        ("the ", "the␣"),
        ("  ", "␣␣"),
        ("\n\n", "↵↵"),
        ("\t", "⇥"),
        ("\x07", "␇"),
        ("", "∅"),
        ("\u200d", "U+200D"),
        ("<b>", "<b>"),
        ("\x85", "\ufffd"),
        ("a b", "a b"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_a_token_alone_shows_all_of_itself(token: str, shown: str) -> None:
    assert formats.boxed(token) == shown


def test_running_text_keeps_its_spaces() -> None:
    assert formats.plain(" of\nthe") == " of↵the"


def test_colours_grow_with_the_activation_and_stop_at_the_scale() -> None:
    assert [one_sided(value, 8.0) for value in (0, 0.1, 1.0, 7.9, 8.0, 99.0)] == ["", "b1", "b2", "b8", "b8", "b8"]
    assert [two_sided(value, 4.0) for value in (-9.0, -0.1, 0.0, 0.1, 3.9)] == ["n4", "n1", "", "p1", "p4"]
    assert one_sided(1.0, 0.0) == ""
