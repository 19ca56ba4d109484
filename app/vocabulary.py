"""The words that pages have for the store's codes (`store.vocabulary`), each once."""

from __future__ import annotations

from store.vocabulary import (
    AGGREGATE,
    INVESTIGATE,
    KEEP,
    LIKELY,
    NO,
    OWN_SIGNAL,
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
DETAILS = {"dense": "dense", "partner": "partner", "control": "sparse control", "asked": "asked for"}
