"""What a page shows: a run, or the runs of a suite as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from app.shared.language import N_, _
from app.shared.numbers import count, ranges
from app.shared.record import Hidden, Moment, Record
from app.shared.statements import listed
from store.vocabulary import BOS, FIELD, SPECIAL, TEMPLATE

_MASKS = {BOS: "BOS", SPECIAL: N_("special"), TEMPLATE: N_("template")}


class Held(NamedTuple):
    """One SAE's analysis, of those that are shown."""

    id: int
    run: int
    slug: str
    layer: int
    n_dense: int
    n_latents: int


class RunInfo(Record):
    """One reading of a corpus through a model and its SAEs; or a suite, told by the newest of its runs."""

    id: int
    """Pins the run: ?run="""
    key: str
    """Hash of all that fixes the run's numbers"""
    suite: str
    """Hash of what the run shares with those it is shown beside: model, corpus and settings"""
    model: str
    model_name: str = Hidden
    model_layers: int = Hidden
    family: str = Field(default="", exclude=True)
    """Of the model; `activations` where only these are there"""
    corpus: str
    corpus_sha256: str
    tokens: int
    """Counted tokens: the denominator of every density"""
    masked_tokens: int
    """Tokens that are no text: in no numerator and no denominator"""
    masks: dict[str, int] | None
    """The same by name, bos, special and template; null where an older worker counted padding among them"""
    tokens_asked: int | None
    """Tokens that were to be read: more than `tokens` where the text ended early; null where nobody knows"""
    documents: int
    """Of which at least one token was counted"""
    corpus_documents: int
    """Of the whole corpus"""
    context: int
    """Tokens per context, BOS included"""
    dense_threshold: float
    """A latent is dense above this density"""
    seed: int
    versions: dict[str, Any]
    seconds: float
    finished: Moment
    dtype: str | None = Hidden
    classes: bool | None = Hidden
    n_saes: int
    n_dense: int
    n_latents: int
    held: tuple[Held, ...] = Hidden

    @property
    def of_rows(self) -> bool:
        """Rows of activations were read, not text: tokens are rows, documents groups, latents may be units."""
        return self.family == FIELD

    @property
    def analyses(self) -> tuple[int, ...]:
        """What is shown: of each SAE one analysis, by layer."""
        return tuple(one.id for one in self.held)

    @property
    def runs(self) -> tuple[int, ...]:
        """The runs that these are of."""
        return tuple(sorted({one.run for one in self.held}))

    @property
    def words(self) -> str:
        """Which run, or which runs."""
        named = ranges(self.runs) or self.id
        return _("runs %(ids)s", ids=named) if len(self.runs) > 1 else _("run %(id)s", id=named)

    @property
    def asked(self) -> str:
        """How many tokens were to be read, where the text ended before; as it follows their number."""
        short = self.tokens_asked is not None and self.tokens < self.tokens_asked
        return _(" (the text ended; %(n)s were asked for)", n=count(self.tokens_asked)) if short else ""

    @property
    def left_out(self) -> str:
        """What was read and not counted, by its name where that is known."""
        if self.masks is None:
            return _("%(n)s special and padding tokens", n=count(self.masked_tokens))
        named = [f"{count(number)} {_MASKS.get(name, name)}" for name, number in self.masks.items() if number]
        return _("%(kinds)s tokens", kinds=listed(named)) if named else _("no tokens")


COUNTED = frozenset({"n_saes", "n_dense", "n_latents", "held"})
"""Fields that come from the analyses, not from the run's row."""


def counted(held: Iterable[Held]) -> dict[str, Any]:
    """What a run has of its analyses."""
    own = tuple(held)
    return {
        "held": own,
        "n_saes": len(own),
        "n_dense": sum(one.n_dense for one in own),
        "n_latents": sum(one.n_latents for one in own),
    }


def suite_of(runs: Sequence[RunInfo]) -> RunInfo:
    """What these runs of one suite show together: the newest analysis of each SAE, and what they all say alike.

    Args:
        runs: newest first, one at least.
    """
    newest: dict[str, Held] = {}
    for run in runs:
        for one in run.held:
            newest.setdefault(one.slug, one)
    held = sorted(newest.values(), key=lambda one: (one.layer, one.slug))
    seconds = sum(run.seconds for run in runs if run.id in {one.run for one in held})
    return runs[0].model_copy(update={**counted(held), "seconds": seconds})
