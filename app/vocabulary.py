"""The words that pages have for the store's codes (`store.vocabulary`), each once."""

from __future__ import annotations

from store.vocabulary import (
    AGGREGATE,
    ASKED,
    CONTROL,
    DENSE,
    INVESTIGATE,
    KEEP,
    LIKELY,
    NO,
    OWN_SIGNAL,
    PARTNER,
    PRUNE,
    SUM,
    UNMEASURED,
    YES,
)

RULE_VERDICTS: dict[str, str] = {KEEP: "keep", INVESTIGATE: "investigate", PRUNE: "prune candidate"}
"""The rule names candidates, it prunes nothing."""
HUMAN_VERDICTS: dict[str, str] = {KEEP: "keep", INVESTIGATE: "investigate", PRUNE: "prune"}
NONE, ANY = "none", "any"
"""In a query string: without one; with one, whichever."""
OUTCOMES = {YES: "yes", LIKELY: "likely", NO: "no", UNMEASURED: "not measured"}
MIXTURES = {
    SUM: "readable sum",
    AGGREGATE: "messy aggregate",
    OWN_SIGNAL: "a signal of its own",
    UNMEASURED: OUTCOMES[UNMEASURED],
}
DETAILS = {DENSE: "dense", PARTNER: "partner", CONTROL: "sparse control", ASKED: "asked for"}
KEPT_AS = {DENSE: "as dense", PARTNER: "as a partner", CONTROL: "as a sparse control", ASKED: "asked for"}
"""Why a latent has examples: as a chip, and as an answer to "examples kept"."""
REMARKS = {**DETAILS, DENSE: ""}
"""Of a latent in a list of dense ones, where that it is dense says nothing."""
