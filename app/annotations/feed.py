"""What people wrote as an Atom feed (RFC 4287)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from app.annotations.activity import Entry

TYPE = "application/atom+xml"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 can carry no other
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def atom(entries: list[Entry], base: str, page: str, feed: str, title: str) -> bytes:
    """The feed.

    Args:
        entries: newest first.
        base: the server's own address, without a slash at its end.
        page: path of the page that shows the same.
        feed: path of the feed itself.
    """
    root = ElementTree.Element("feed", {"xmlns": _NAMESPACE, "xml:lang": "en"})
    _add(root, "title", title)
    _add(root, "id", base + feed)
    _add(root, "updated", _stamp(max((one.created for one in entries), default=_NEVER)))
    ElementTree.SubElement(root, "link", {"rel": "self", "type": TYPE, "href": _clean(base + feed)})
    ElementTree.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": _clean(base + page)})
    for one in entries:
        _entry(root, one, base, page)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _entry(root: ElementTree.Element, one: Entry, base: str, page: str) -> None:
    made = ElementTree.SubElement(root, "entry")
    _add(made, "id", one.name)
    _add(made, "title", f"{one.about} of {one.sae}: {one.sentence}")
    _add(made, "updated", _stamp(one.created))
    _add(ElementTree.SubElement(made, "author"), "name", one.author)
    ElementTree.SubElement(
        made, "link", {"rel": "alternate", "type": "text/html", "href": _clean(base + (one.href or page))}
    )
    said = f"{one.author} {one.sentence}." + (f"\n\n{one.note}" if one.note else "")
    _add(made, "content", said).set("type", "text")


def _add(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, name)
    made.text = _clean(text)
    return made


def _clean(text: str) -> str:
    """Without what no XML may hold: the rest is escaped when it is written."""
    return _ILLEGAL.sub("\ufffd", text)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
