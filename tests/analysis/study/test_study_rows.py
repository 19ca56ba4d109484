"""Studies of rows, one after another: what changed, what needs attention, what is skipped."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from analysis.errors import UserError
from analysis.study.command import ATTENTION, FINE, study
from analysis.study.state import alone
from tests.analysis.study import planted_rows
from tests.analysis.study.conftest import rows


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    planted_rows.CALLS.clear()
    monkeypatch.setitem(sys.modules, "analysis.field.command", SimpleNamespace(analyze=planted_rows.analyze))


def ran(path: Path, *, plan: bool = False, if_changed: bool = False) -> tuple[int, str]:
    screen = io.StringIO()
    console = Console(file=screen, width=160, highlight=False, soft_wrap=True)
    return study(path, console, plan=plan, if_changed=if_changed), screen.getvalue()


def last(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((path.parent / "line 3.study.json").read_text())["history"][-1]
    return found


def test_a_plan_says_what_it_will_cost_and_does_nothing(line3: Path) -> None:
    status, said = ran(line3, plan=True)
    assert status == FINE
    assert said.splitlines() == [
        "step 1 of 2: analyse: hidden.npy: 400 rows x 3 units = 1,200 numbers",
        "step 2 of 2: report: line 3.report.md: a second",
        "left out: ablate: rows come without the model that made them",
        "2 steps to do; nothing was done",
    ]
    assert sorted(path.name for path in line3.parent.iterdir()) == ["hidden.npy", "line3.toml", "parts.csv"]
    ran(line3)
    assert "0 steps to do" in ran(line3, plan=True)[1]


def test_the_first_study_reports_who_follows_what(line3: Path) -> None:
    status, said = ran(line3)
    assert status == FINE
    assert "nothing to compare with: the first study of this name" in said
    told = (line3.parent / "line 3.report.md").read_text()
    assert "**1 of 1 label is followed by a dense unit: shift.**" in told
    assert "- **shift** is followed by L0/1 of line/hidden (eta² 1.00, 0.95 to 1.05)." in told
    assert "| line/hidden | 3 | 2 (67 %) | 0 | 0 |" in told
    assert "L0/0 on in 50 % of rows (45 % to 55 %)" in told
    assert "`dense-latents serve --db" in told


def test_a_second_call_does_nothing_again(line3: Path) -> None:
    ran(line3)
    before = (line3.parent / "line 3.study.json").read_text()
    status, said = ran(line3)
    assert (status, len(planted_rows.CALLS)) == (FINE, 1)
    assert "step 1 of 2: analyse: done before (run 1: 1 matrix, 2 dense units, 1 label measured)" in said
    assert (line3.parent / "line 3.study.json").read_text() == before


def test_a_drift_beyond_both_intervals_needs_attention(line3: Path) -> None:
    ran(line3)
    rows(line3.parent, share=0.8)
    status, said = ran(line3)
    assert status == ATTENTION
    sentence = (
        "L0/0 is on in 80 % of rows (75 % to 85 %); in the last study in 50 % of rows (45 % to 55 %): 30 points apart"
    )
    assert sentence in said
    assert last(line3)["attention"] == [sentence]
    assert ran(line3)[0] == ATTENTION  # until somebody changes something, it does
    told = (line3.parent / "line 3.report.md").read_text()
    assert "**1 change since the last study should be looked at:**" in told


@pytest.mark.parametrize(("share", "drift"), [(0.58, "0.01"), (0.62, "0.2")], ids=["intervals meet", "below threshold"])
def test_a_smaller_one_needs_none(line3: Path, share: float, drift: str) -> None:
    ran(line3)
    rows(line3.parent, share=share)
    line3.write_text(line3.read_text().replace("drift = 0.1", f"drift = {drift}"))
    status, said = ran(line3)
    assert (status, last(line3)["attention"]) == (FINE, [])
    assert "nothing changed in 1 matrix or SAE beyond the intervals and the threshold of drift" in said


def test_a_label_that_nobody_follows_any_more_needs_attention(line3: Path) -> None:
    ran(line3)
    rows(line3.parent, follows=False)
    status, said = ran(line3)
    assert status == ATTENTION
    assert (
        "shift: followed by L0/1 (eta² 1.00, 0.95 to 1.05) in the last study; no dense unit of line/hidden follows it"
        in said
    )
    line3.write_text(line3.read_text().replace("lost = true", "lost = false"))
    assert ran(line3)[0] == FINE  # the same numbers beside the same study, judged otherwise
    assert len(json.loads((line3.parent / "line 3.study.json").read_text())["history"]) == 2
    rows(line3.parent)  # and back
    status, said = ran(line3)
    assert status == FINE
    assert "shift: newly followed by L0/1 (eta² 1.00, 0.95 to 1.05)" in said


def test_a_label_that_is_gone_from_the_table_is_said_so(line3: Path) -> None:
    ran(line3)
    rows(line3.parent, shift="team")
    status, said = ran(line3)
    assert status == ATTENTION
    assert "in the last study; there is no such label any more" in said
    assert "team: newly followed by L0/1 (eta² 1.00, 0.95 to 1.05); the last study had no such label" in said


def test_a_unit_that_is_dense_no_longer_is_told_with_its_density(line3: Path) -> None:
    ran(line3)
    rows(line3.parent, share=0.09)
    line3.write_text(line3.read_text().replace("drift = 0.1", "drift = 0.9"))
    status, said = ran(line3)
    assert status == FINE
    assert "L0/0 is dense no longer: on in 9.0 % of rows (4.0 % to 14 %); in the last study in 50 % of rows" in said


def test_it_is_compared_where_the_last_run_is_gone(line3: Path) -> None:
    ran(line3)
    for path in line3.parent.glob("line3.db*"):
        path.unlink()
    rows(line3.parent, share=0.8)
    assert ran(line3)[0] == ATTENTION


def test_another_run_of_the_same_number_is_not_taken_for_the_last(line3: Path) -> None:
    """A store that was deleted and made anew gives the same numbers."""
    ran(line3)
    before = (line3.parent / "line 3.study.json").read_text()
    for path in line3.parent.glob("line3.db*"):
        path.unlink()
    text = line3.read_text()
    rows(line3.parent, share=0.8)
    ran(line3)
    rows(line3.parent)
    line3.write_text(text)
    (line3.parent / "line 3.study.json").write_text(before)
    assert ran(line3, if_changed=True)[0] == FINE
    assert len(planted_rows.CALLS) == 3


def test_a_store_that_is_gone_is_made_again(line3: Path) -> None:
    ran(line3)
    for path in line3.parent.glob("line3.db*"):
        path.unlink()
    assert ran(line3, if_changed=True)[0] == FINE
    assert len(planted_rows.CALLS) == 2


def test_nothing_changed_is_one_line(line3: Path) -> None:
    ran(line3)
    rows(line3.parent, share=0.8)
    assert ran(line3, if_changed=True)[0] == ATTENTION
    status, said = ran(line3, if_changed=True)
    assert (status, said.count("\n")) == (FINE, 1)
    assert said.startswith("line 3: inputs and settings are those of the study finished on ")
    assert said.endswith("nothing to do; 1 change needed attention then, see line 3.report.md\n")


def test_a_second_process_is_refused(line3: Path) -> None:
    state = line3.parent / "line 3.study.json"
    with alone(state), pytest.raises(UserError, match="is at this study; wait for it, or stop it"):
        ran(line3)
    assert ran(line3)[0] == FINE


def test_what_is_no_state_is_refused_by_name(line3: Path) -> None:
    state = line3.parent / "line 3.study.json"
    state.write_text("{}")
    with pytest.raises(UserError) as error:
        ran(line3)
    assert str(error.value) == (
        f"{state}: expected a study's state of format 1; delete it to begin anew; found format None"
    )


def test_an_sae_that_was_trained_for_a_study_is_taken_again(line3: Path) -> None:
    """Latents of another one could not be compared."""
    trained = line3.read_text().replace("[steps]", 'train = "batchtopk"\n[steps]')
    line3.write_text(trained)
    ran(line3)
    rows(line3.parent, share=0.8)
    line3.write_text(trained)
    ran(line3)
    first, second = planted_rows.CALLS
    assert (first.train, first.saes) == ("batchtopk", [])
    assert (second.train, second.saes) == ("", [str(line3.parent / "hidden.npy")])
    line3.write_text(trained.replace("[steps]", "keep = false\n[steps]"))
    ran(line3)
    assert planted_rows.CALLS[-1].train == "batchtopk"
