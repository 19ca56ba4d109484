"""Token ids -> the strings people read, and which of them are words one could say."""

from __future__ import annotations

import codecs
import re
from typing import Any

_BYTE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")
# what vocabularies keep for later, or for a format: never `<table>` or `<br>`, which are text to some of them
_MARK = re.compile(
    r"\s*(?:<\|[^<>]*\|>|[<\[][|_ ]*(?:unused|reserved|extra_id_|dummy|vocab_?pad)[\w |-]*[>\]])\s*", re.IGNORECASE
)


def _named(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no character by their numbers, as Llama's vocabulary writes them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"<0x{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("named", _named)


def byte_alphabet() -> dict[str, int]:
    """GPT-2's table: the printable character that stands for each byte."""
    keep = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    table = {chr(byte): byte for byte in keep}
    shifted = 0
    for byte in range(256):
        if byte not in keep:
            table[chr(256 + shifted)] = byte
            shifted += 1
    return table


def token_strings(tokenizer: Any, size: int) -> list[str]:
    """The text of every id below `size`, leading space kept; bytes that are no whole character show as `<0xE3>`.

    Ids without a token (padding of the embedding, holes) give the empty string.
    """
    raw, table = _raw(tokenizer, size)
    special = set(tokenizer.all_special_tokens)
    return [_readable(token, table, token in special) for token in raw]


def _raw(tokenizer: Any, size: int) -> tuple[list[str | None], dict[str, int] | None]:
    """What stands in the vocabulary, and the alphabet of bytes it is written in, if it is."""
    raw = tokenizer.convert_ids_to_tokens(list(range(size)))
    byte_level = any(token is not None and token.startswith("Ġ") for token in raw)
    return raw, byte_alphabet() if byte_level else None


def _readable(token: str | None, table: dict[str, int] | None, special: bool) -> str:
    if token is None:
        return ""
    if special:
        return token
    if (given := _bytes_of(token, table)) is not None:
        return given.decode("utf-8", errors="named")
    if match := _BYTE.match(token):
        return bytes([int(match.group(1), 16)]).decode("utf-8", errors="named")
    return token.replace("▁", " ")


def _bytes_of(token: str, table: dict[str, int] | None) -> bytes | None:
    """What a token of the alphabet of bytes stands for; None of another."""
    if table is None:
        return None
    try:
        return bytes(map(table.__getitem__, token))
    except KeyError:
        return None


def special_ids(tokenizer: Any) -> set[int]:
    """Ids that are no text: those the tokenizer calls special, by its names for them and among its added tokens."""
    added = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return {*tokenizer.all_special_ids, *added}


def sayable(tokenizer: Any, size: int) -> list[bool]:
    """Which ids below `size` stand for text by themselves: one rule for promoted tokens and for the alphabet class.

    Not special ones, ones kept for later (`<unused7>`, `<|reserved_special_token_3|>`), holes of the vocabulary, and
    those that are only a part of a character, or stand for one that was lost (U+FFFD): they cannot be read.
    """
    raw, table = _raw(tokenizer, size)
    special = special_ids(tokenizer)
    return [number not in special and _says(token, table) for number, token in enumerate(raw)]


def _says(token: str | None, table: dict[str, int] | None) -> bool:
    if token is None or not (text := _readable(token, table, special=False)):
        return False
    return "\ufffd" not in text and not _MARK.fullmatch(text) and _whole(token, table)


def _whole(token: str, table: dict[str, int] | None) -> bool:
    if match := _BYTE.match(token):
        return int(match.group(1), 16) < 0x80
    if (given := _bytes_of(token, table)) is None:
        return True
    try:
        given.decode()
    except UnicodeDecodeError:
        return False
    return True
