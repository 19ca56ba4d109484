"""Why a class was not measured, in words: the worker's console and the pages say the same.

What a class found has its words in its view; why it could not be measured is said before there is a page, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from store.vocabulary import MIXTURE, STEERED, Statement

Say = Callable[[Statement, Mapping[str, str]], str]
"""A statement by the sentences of its code, with its numbers in."""

_ANY = {
    "no_tokens": "no ordinary token is in the sample",
    "few_documents": (
        "{found} documents were read and {needed} are needed, since in few of them slow noise looks like an effect"
    ),
    "constant": "the signal does not vary",
    "not_divided": "the sample has too few documents to fit on some and predict others",
    "seldom": "it fires on fewer than {needed} tokens of the sample",
}
_OF = {
    STEERED: {"few_stretches": "too few documents have several stretches of 32 tokens"},
    "null_space": {"narrow": "of {width} directions, chance alone puts too much into any {directions}"},
    "alphabet": {"small_vocabulary": "the vocabulary is too small"},
    "content_word": {
        "few_words": "too few tokens lie in a word",
        "one_sided": "the text has only content words, or none",
    },
    "principal_component": {
        "shared": (
            "the first component has only {ratio:.2f} times the variance of the second ({needed:g} is needed), so it is"
            " no direction of its own"
        ),
        "one_half": "all documents are in one half, so it cannot be seen whether the first component is stable",
        "unstable": (
            "the first component differs between halves of the documents (|cos| {cos:.2f}, {needed:g} is needed)"
        ),
    },
    MIXTURE: {
        "alone": "no sparse latent fires together with a dense one",
        "few_tokens": "{tokens:,} tokens in a half of the documents are too few for {latents} latents",
    },
}
_DISTANCE = {"none": "this text has no {kind}s", "few": "only {found} documents have {kind}s; {needed} are needed"}
_UNTAGGED = {
    "no_words": "no words in the sample",
    "not_english": (
        "not English: {share:.1%} of the words are English function words; the tagger needs at least {needed:.0%}"
    ),
}


def plainly(statement: Statement, sentences: Mapping[str, str]) -> str:
    """As the console says it; of a code without a sentence, its name."""
    code = str(statement.get("code"))
    return sentences[code].format(**statement) if code in sentences else code.replace("_", " ")


def why_unmeasured(name: str, statement: Statement, say: Say = plainly) -> str | None:
    """Why a class or a mixture was not measured, without a full stop; None where this is no reason.

    Args:
        name: of the class.
        statement: what the worker stored.
        say: how codes and numbers become words.
    """
    code = statement.get("code")
    if name == "position" and code == "no_distance":
        held = statement.get("reasons") or {}
        return "; ".join(why_no_distance(kind, reason, say) for kind, reason in held.items())
    if name == "content_word" and code == "untagged":
        return say(statement.get("reason") or {}, _UNTAGGED).rstrip(".")
    sentences = {**_ANY, **_OF.get(name, {})}
    return say(statement, sentences) if code in sentences else None


def why_no_distance(kind: str, reason: Statement, say: Say = plainly) -> str:
    """Why a kind of distance (context, paragraph, sentence) was not measured."""
    return say({**reason, "kind": kind}, _DISTANCE)
