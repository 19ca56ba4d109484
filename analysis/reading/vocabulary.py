"""Token ids -> the strings people read."""

from __future__ import annotations

import re
from typing import Any

_BYTE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")


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
    """The text of every id below `size`, leading space kept; bytes that are no whole character show as U+FFFD.

    Ids without a token (padding of the embedding, holes) give the empty string.
    """
    raw = tokenizer.convert_ids_to_tokens(list(range(size)))
    table = byte_alphabet()
    byte_level = any(token is not None and token.startswith("Ġ") for token in raw)
    special = set(tokenizer.all_special_tokens)
    return [_readable(token, table if byte_level else None, token in special) for token in raw]


def _readable(token: str | None, table: dict[str, int] | None, special: bool) -> str:
    if token is None:
        return ""
    if special:
        return token
    if table is not None and all(character in table for character in token):
        return bytes(table[character] for character in token).decode("utf-8", errors="replace")
    if match := _BYTE.match(token):
        return bytes([int(match.group(1), 16)]).decode("utf-8", errors="replace")
    return token.replace("▁", " ")
