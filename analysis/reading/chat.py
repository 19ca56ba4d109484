"""Conversations -> text: in the model's own template, whose characters are no text of anybody."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from analysis.errors import UserError

COLUMN = "messages"
"""The column that holds a conversation: a list of {"role", "content"}."""
Span = tuple[int, int]


class Rendered(NamedTuple):
    """A conversation as the model reads it; `template` are the spans of its text that nobody wrote."""

    text: str
    template: list[Span]


def is_chat(value: Any) -> bool:
    """Whether this is a conversation."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


class Chat:
    """Renders conversations for a model. Its tokenizer is loaded when the first one comes.

    Args:
        model: as `load_model` takes it.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    def __call__(self, messages: list[dict[str, Any]], where: str) -> Rendered:
        """One conversation.

        Args:
            where: its file and row, for messages.

        Raises:
            UserError: a model without a template, or one that does not keep what people wrote.
        """
        said = [{**one, "content": _text(one.get("content"))} for one in messages]
        try:
            text: str = self._tokenizer.apply_chat_template(said, tokenize=False)
        except Exception as error:  # templates raise what they like
            raise UserError(f"{where}: the template of {self.model} refuses this conversation: {error}") from error
        text = text.removeprefix(self._tokenizer.bos_token or "")  # it stands before each context anyway
        return Rendered(text, list(self._between(text, [one["content"] for one in said], where)))

    @cached_property
    def _tokenizer(self) -> Any:
        from analysis.reading.model_loading import load_tokenizer

        tokenizer = load_tokenizer(self.model)
        if not tokenizer.chat_template:
            raise UserError(f"{self.model}: expected a chat template, for a corpus of '{COLUMN}'; found none")
        return tokenizer

    def _between(self, text: str, contents: list[str], where: str) -> list[Span]:
        at, found = 0, list[Span]()
        for content in filter(None, map(str.strip, contents)):
            place = text.find(content, at)
            if place < 0:
                raise UserError(f"{where}: the template of {self.model} changes what was said: {content[:60]!r}")
            found.append((at, place))
            at = place + len(content)
        return [span for span in [*found, (at, len(text))] if span[0] < span[1]]


def _text(content: Any) -> str:
    """What was said: a string, or parts of which only texts are read."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
