"""The last step: the study beside the last one, the report, and both written down."""

from __future__ import annotations

from collections.abc import Collection

from analysis.study import stored
from analysis.study.compare import Compared, compare, line
from analysis.study.config import ANALYSE
from analysis.study.plan import Study, runs_of
from analysis.study.report import Findings, report
from analysis.study.state import Entry, replace_text
from analysis.study.words import listed, many


def write_report(study: Study) -> Entry:
    """Compare, write the report, and put the study into the history. In this order: a process that ends in between
    does all of it again, beside the same earlier study."""
    config, state, plan, runs = study.config, study.state, study.plan, runs_of(study.state)
    before = state.before(plan.measured)
    with stored.reading(config.db) as session:
        assert session is not None
        now = stored.facts(session, runs, {} if before is None else _dense(before["facts"]))
        compared = None
        if before is not None:
            # the store still knows how dense a unit was that is dense now; the study's file knows the dense ones alone
            there = stored.complete(session, before)
            old = stored.facts(session, before["runs"], _dense(now)) if there else before["facts"]
            compared = compare(old, now, config.attention)
        told = [] if compared is None else lines(compared, *words_of(study))
        attention = [] if compared is None else [
            line(one, *words_of(study)) for one in compared.needing(config.attention)
        ]  # fmt: skip
        verdicts = state.steps.get("verdicts", {}).get("verdicts", {})
        found = Findings(
            now, verdicts, told, attention, None if before is None else before["finished"], _caveats(study, before)
        )
        replace_text(config.report_path, report(session, study, runs, found))
        facts = stored.facts(session, runs, {})
    state.finish(
        {
            "key": plan.key,
            "measured": plan.measured,
            "runs": runs,
            "keys": state.steps[ANALYSE]["keys"],
            "inputs": plan.inputs,
            "settings": config.subject,
            "train": config.trained_with,
            "steps": {name: entry.get("what", "") for name, entry in state.steps.items()},
            "compared_with": None if before is None else before["finished"],
            "changes": [] if compared is None else compared.changes,
            "told": told,
            "attention": attention,
            "facts": facts,
        }
    )
    return {"runs": runs, "what": config.report_path.name}


def words_of(study: Study) -> tuple[str, str]:
    """What is fired, and what densities are shares of."""
    return ("latent", "tokens") if study.config.texts else ("unit", "rows")


def lines(compared: Compared, noun: str, of: str) -> list[str]:
    """What changed, in plain lines."""
    found = [line(one, noun, of) for one in compared.changes]
    whole = "SAE" if noun == "latent" else "matrix or SAE"
    if compared.missing:
        found.append(f"only in the last study: {listed(compared.missing)}; nothing of it is compared")
    if compared.new:
        found.append(f"only in this study: {listed(compared.new)}; nothing of it is compared")
    if not compared.shared:
        found.append(f"no {whole} is in both studies, so their {noun}s cannot be compared")
    return found or [
        f"nothing changed in {many(compared.shared, whole)} beyond the intervals and the threshold of drift"
    ]


def _dense(facts: stored.Facts) -> dict[str, Collection[int]]:
    return {
        sha256: [int(index) for index, unit in sae["units"].items() if unit["dense"]] for sha256, sae in facts.items()
    }


def _caveats(study: Study, before: Entry | None) -> list[str]:
    """Settings that were others in the last study: a change may come from them."""
    if before is None:
        return []
    old, new = before["settings"], study.config.subject
    places = {"model", "corpus", "activations", "table", "head", "saes"}
    names = sorted(name for name in {*old, *new} - places if old.get(name) != new.get(name))
    return [
        f"{name} was {old.get(name, 'not set')} in the last study, and is {new.get(name, 'not set')}" for name in names
    ]
