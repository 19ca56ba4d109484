"""The house has one direction: who may import whom, read from the source.

analysis -> store <- app. Within `analysis` a stage imports the stages before it; within `app` a noun imports what all
share, and another noun only by its queries.
"""

from __future__ import annotations

import re

import pytest

from store.vocabulary import DETAILS, LIKELY, UNEXPLAINED, UNMEASURED, VERDICTS
from tests.imports import circles, imports
from tests.root import ROOT

STAGES = (
    "errors", "hashing", "options", "process", "cluster", "reading", "statistics", "decomposition", "classes", "labels",
    "verdict", "config", "training", "run", "interventions", "calibration", "capture", "field", "study", "live",
    "commands",
)  # fmt: skip
SIBLINGS = {"classes", "labels"}  # neither knows the other
HEAVY = {"torch", "transformers", "sae_lens", "numpy", "scipy"}

# what no noun is: the parts all nouns share, and those that put the nouns together
COMMON = {"shared", "http", "vocabulary", "deps", "rendering", "settings"}
TOGETHER = {"main", "commands", "static_site", "api_routes", "api_answers"}
MOST_EXCEPTIONS = 32  # modules that other nouns import besides queries: lower it with every one that goes


def test_the_worker_has_one_direction() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in imports("analysis").items()
        for other in sorted(others)
        if _part(other, "analysis") and _above(_part(other, "analysis"), _part(module, "analysis"))
    ]
    assert upward == []


def _above(stage: str, own: str) -> bool:
    if {stage, own} == SIBLINGS:
        return True
    return bool(own) and STAGES.index(stage) > STAGES.index(own)


def test_every_stage_of_the_worker_has_its_place() -> None:
    assert {_part(module, "analysis") for module in imports("analysis")} - {""} == set(STAGES)


@pytest.mark.parametrize("top", ["analysis", "app", "store"])
def test_no_two_modules_import_each_other(top: str) -> None:
    graph = imports(top)
    assert circles({name: {other for other in others if other in graph} for name, others in graph.items()}) == []


def test_no_two_packages_of_the_worker_import_each_other() -> None:
    graph: dict[str, set[str]] = {stage: set() for stage in STAGES}
    for module, others in imports("analysis").items():
        own = _part(module, "analysis")
        if own:
            graph[own] |= {part for other in others if (part := _part(other, "analysis")) and part != own}
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("top", "never"), [("app", {"analysis", *HEAVY}), ("store", {"analysis", "app", *HEAVY}), ("analysis", {"app"})]
)
def test_the_halves_meet_in_the_store_alone(top: str, never: set[str]) -> None:
    found = {
        f"{module} imports {other}"
        for module, others in imports(top).items()
        for other in others
        if other.split(".")[0] in never
    }
    assert found == set()


def test_few_nouns_import_more_of_another_than_its_queries() -> None:
    found = sorted(_across_nouns())
    assert len(found) <= MOST_EXCEPTIONS, found


def _across_nouns() -> set[str]:
    """Modules that another noun than their own imports, or that all nouns share does, but for queries."""
    return {
        other.removeprefix("app.")
        for module, others in imports("app").items()
        for other in others
        if (noun := _part(other, "app")) and (own := _part(module, "app"))
        if noun != own and noun not in COMMON | TOGETHER and own not in TOGETHER
        if own in COMMON or other.split(".")[2:] != ["queries"]
    }


def _part(module: str, top: str) -> str:
    """The package of `top` that a module is in; nothing for `top` itself and what is outside."""
    parts = module.split(".")
    return parts[1] if parts[0] == top and len(parts) > 1 else ""


CODES = {*VERDICTS, *DETAILS, UNEXPLAINED, UNMEASURED, LIKELY} - {"control"}  # "Control" is a key, too
AS_CODE = re.compile(r"""["'`]([a-z_]+)["'`]""")


def test_scripts_know_no_code_of_the_store() -> None:
    """They read what a template wrote of the one vocabulary: data attributes, or the data of the site."""
    found = [
        f"{path.name}: {code}"
        for path in sorted((ROOT / "static").glob("*.js"))
        for code in AS_CODE.findall(path.read_text())
        if code in CODES and code not in NAMES_TOO.get(path.name, ())
    ]
    assert found == []


NAMES_TOO = dict.fromkeys(("page.js", "threshold.js", "site-list.js"), ("dense",))
"""A filter of lists is called so, too."""


def test_templates_spell_no_verdict_and_no_reason_for_examples() -> None:
    codes = {*VERDICTS, "control", "asked"}
    found = [
        f"{path.name}: {code}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if path.name != "api_docs.html"  # an example of what to send
        for code in AS_CODE.findall(path.read_text())
        if code in codes
    ]
    assert found == []
