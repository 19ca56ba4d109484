"""The words that pages have for the store's codes (`store.vocabulary`), each once."""

from __future__ import annotations

from app.shared.language import N_, Words
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

RULE_VERDICTS = Words({KEEP: N_("keep"), INVESTIGATE: N_("investigate"), PRUNE: N_("prune candidate")})
"""The rule names candidates, it prunes nothing."""
HUMAN_VERDICTS = Words({KEEP: N_("keep"), INVESTIGATE: N_("investigate"), PRUNE: N_("prune")})
NONE, ANY = "none", "any"
"""In a query string: without one; with one, whichever."""
OUTCOMES = Words({YES: N_("yes"), LIKELY: N_("likely"), NO: N_("no"), UNMEASURED: N_("not measured")})
MIXTURES = Words(
    {
        SUM: N_("readable sum"),
        AGGREGATE: N_("messy aggregate"),
        OWN_SIGNAL: N_("a signal of its own"),
        UNMEASURED: N_("not measured"),
    }
)
DETAILS = Words({DENSE: N_("dense"), PARTNER: N_("partner"), CONTROL: N_("sparse control"), ASKED: N_("asked for")})
KEPT_AS = Words(
    {
        DENSE: N_("as dense"),
        PARTNER: N_("as a partner"),
        CONTROL: N_("as a sparse control"),
        ASKED: N_("asked for"),
    }
)
"""Why a latent has examples: as a chip, and as an answer to "examples kept"."""
REMARKS = Words({**DETAILS, DENSE: ""})
"""Of a latent in a list of dense ones, where that it is dense says nothing."""
KINDS = Words({kind: kind for kind in (N_("context"), N_("paragraph"), N_("sentence"), N_("text"))})
"""What a position is counted from."""
