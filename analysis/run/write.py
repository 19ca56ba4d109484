"""Result -> rows, in short transactions (`store.writing`). Nobody sees a run before its last one completes it: a search
that finds nothing in a run, or a latent without a verdict, would be taken for a finding."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from rich.console import Console
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from torch import Tensor

from analysis.errors import UserError
from analysis.reading.documents import Document
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.run.chaining import chain_suite
from analysis.run.declare import declare
from analysis.run.entities import added, corpus_row, model_row, run_row, sae_row
from analysis.run.evidence import Decided, Decisions
from analysis.run.panel import Panel
from analysis.run.pipeline import Result
from analysis.run.rows.classes import score_rows
from analysis.run.rows.examples import example_rows
from analysis.run.rows.follows import follows_columns, follows_rows, follows_summary, past_summary
from analysis.run.rows.labels import association_row, label_row
from analysis.run.rows.latents import latent_rows
from analysis.run.rows.map import map_summary
from analysis.run.rows.pairs import pair_rows
from analysis.run.rows.plain import Row, number, numbers
from analysis.run.rows.profiles import (
    DETAIL_ITEMS,
    company_rows,
    histogram_rows,
    logit_rows,
    position_rows,
    promoted_rows,
    strip_rows,
    token_rows,
    with_gap,
)
from analysis.run.weights import logit_chance_of, promoted_of, recall_of
from analysis.statistics.cofiring import Cofiring
from analysis.statistics.examples import Examples
from analysis.statistics.geometry import columns as weight_columns
from analysis.statistics.histogram import Histogram
from analysis.statistics.joint import Joint
from analysis.statistics.logit_weights import logit_weights
from analysis.statistics.positions import Positions
from analysis.statistics.reconstruction import Reconstruction
from analysis.statistics.top_tokens import TokenTable
from analysis.statistics.traces import unpacked
from analysis.verdict import judgements, mark_judged
from store.alive import Process, this_process
from store.identity import find_sae
from store.leftovers import remove_leftovers
from store.search import write_index
from store.session import reading_engine, session_factory
from store.tables import (
    Analysis,
    Association,
    Example,
    Label,
    Latent,
    Model,
    Pair,
    Profile,
    Run,
    Score,
    Traces,
    Verdict,
)
from store.writing import COMPLETE, Writer


def find_complete(engine: Engine, key: str) -> Run | None:
    """The newest complete run of this key, if the store has one."""
    with session_factory(engine)() as session:
        return session.scalar(select(Run).where(Run.key == key, Run.status == COMPLETE).order_by(Run.id.desc()))


def check_known(engine: Engine, saes: list[LoadedSae], lm: LanguageModel) -> None:
    """Refuse weights that the store knows with another configuration or model: one page cannot stand for both.

    Raises:
        UserError: the SAE, and what the store has.
    """
    with session_factory(engine)() as session:
        for sae in saes:
            known = find_sae(session, sae.sha256, sae.former)
            if known is None:
                continue
            model = session.get_one(Model, known.model_id)
            same = known.details.get("settings_sha256") == sae.settings
            if not same or (model.fingerprint != lm.fingerprint and model.fingerprint not in lm.former):
                raise UserError(
                    f"--sae {sae.source}: the store has these weights as {known.slug}, reading {known.hook_point} of"
                    f" {model.name}, with another {'model' if same else 'cfg.json'}; use another --db"
                )


def write(
    engine: Engine, result: Result, documents: dict[int, Document], decisions: Decisions | None, console: Console
) -> int:
    """Store a run, and chain its SAEs to those of its suite.

    Args:
        documents: those of the examples, by index.
        decisions: what is said of the latents; None where the run was asked for without classes.

    Returns:
        the run's id.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be written; nobody sees anything of the run.
    """
    words = result.reading.model.words()
    with reading_engine(engine) as readers, this_process() as process:
        writer = Writer(engine, process)
        remove_leftovers(writer)
        begun = writer.transaction(lambda session: _begin(session, result, decisions, process))
        writer.run = begun.run
        for place, sae in enumerate(begun.saes):
            # made one SAE at a time: the rows of all of them might not fit in memory
            decided = None if decisions is None else decisions.saes[place]
            rows = _SaeRows(result, place, words, documents, console, decided)
            analysis = rows.insert(writer, begun.run, sae)
            if decided is not None:
                _insert_decisions(writer, analysis, result.panels[place], decided, begun.labels)
            _conclude(writer, readers, analysis)
        writer.run = None  # its row says who writes it until the very transaction that completes it
        chain_suite(writer, readers, begun.suite, begun.run)
    return begun.run


class _Begun(NamedTuple):
    """A run that is there, and that nobody sees."""

    run: int
    suite: str
    saes: list[int]
    labels: list[int]


def _begin(session: Session, result: Result, decisions: Decisions | None, process: Process) -> _Begun:
    declare(session)
    model = model_row(session, result.reading)
    run = run_row(session, result, model, corpus_row(session, result.reading))
    run.writer = process.stamp()
    saes = [sae_row(session, model, panel.sae).id for panel in result.panels]
    columns = [] if decisions is None else decisions.columns
    labels = [added(session, Label(run_id=run.id, **label_row(column))).id for column in columns]
    return _Begun(run.id, run.suite, saes, labels)


def _conclude(writer: Writer, readers: Engine, analysis_id: int) -> None:
    """What is made of the rows of one SAE: the rule's verdicts, and what can be searched."""
    with session_factory(readers)() as session:
        verdicts = judgements(session, analysis_id)
    writer.insert(Verdict, verdicts)
    writer.transaction(lambda session: mark_judged(session, analysis_id))
    write_index(writer, readers, analysis_id)


class _SaeRows:
    """All rows of one SAE: made as they are asked for, since all of a wide one's would not fit in memory."""

    def __init__(
        self,
        result: Result,
        place: int,
        words: list[str],
        documents: dict[int, Document],
        console: Console,
        decided: Decided | None,
    ) -> None:
        followed = decided and decided.followed
        self.panel = panel = result.panels[place]
        geometry = result.geometry[place]
        self.recall = recall_of(panel.sae, result.reading.config.approximate_partners)
        sae, plan = panel.sae, panel.plan
        promoted = promoted_of(sae, result.reading.model, DETAIL_ITEMS, console)
        detail = set(plan.latents.tolist())
        tokens = panel[TokenTable].summarise()
        histogram = with_gap(*panel[Histogram].summarise(), sae.signed)
        self.columns = panel.columns() | weight_columns(geometry, sae.decoder, sae.bias)
        self.columns |= follows_columns(followed, plan, sae.n_latents)
        self.summary = follows_summary(followed, plan, self.columns["is_dense"])
        self.summary |= past_summary(decided and decided.past)
        self.summary |= map_summary(self.columns, sae.decoder)
        self.latents = latent_rows(self.columns, histogram, tokens, plan, words)
        positions = (
            position_rows(each.kind, plan.latents, each.summarise(), sae.signed) for each in panel.all(Positions)
        )
        self.profiles = chain(
            histogram_rows(*histogram),
            token_rows(tokens, detail, words),
            promoted_rows(promoted, detail, words),
            chain.from_iterable(positions),
            follows_rows(followed, plan),
            self._logits(result.reading.model),
            chain.from_iterable(company_rows(each.latents, each.summarise()) for each in panel.all(Cofiring)),
            () if result.strip is None else strip_rows(plan.latents, result.strip_acts[place]),
        )
        self.examples = example_rows(panel[Examples].summarise(), plan, documents, panel[Examples].kinds)
        self.pairs = pair_rows(plan.pairs.first, plan.pairs.second, panel[Joint].summarise(), geometry)

    def _logits(self, model: LanguageModel) -> Iterator[Row]:
        sae, latents = self.panel.sae, self.panel.plan.latents
        unembedding, allowed = model.unembedding(sae.hook_out), model.sayable()
        level = logit_chance_of(model, sae.hook_out, unembedding, self.panel.settings.seed)
        yield from logit_rows(latents, logit_weights(sae.decoder[latents], unembedding, allowed), level)

    def insert(self, writer: Writer, run_id: int, sae_id: int) -> int:
        """Insert all, foreign keys filled in; the analysis' id."""
        facts = _layer_facts(self.panel, self.columns, self.recall)
        facts["summary"] |= self.summary
        analysis_id = writer.transaction(
            lambda session: added(session, Analysis(run_id=run_id, sae_id=sae_id, **facts)).id
        )
        for table, rows in (
            (Latent, self.latents),
            (Profile, self.profiles),
            (Example, self.examples),
            (Pair, self.pairs),
        ):
            writer.insert(table, ({**row, "analysis_id": analysis_id} for row in rows))
        return analysis_id


def _insert_decisions(writer: Writer, analysis_id: int, panel: Panel, decided: Decided, labels: list[int]) -> None:
    """Scores, labels, and what chains are made of."""
    tokens = len(unpacked(decided.traces).ordinary)
    for table, rows in (
        (Score, score_rows(panel.plan.latents, decided.scores)),
        (Association, _association_rows(panel, decided, labels)),
        (Traces, [{"tokens": tokens, "data": decided.traces}]),
    ):
        writer.insert(table, ({**row, "analysis_id": analysis_id} for row in rows))


def _association_rows(panel: Panel, decided: Decided, labels: list[int]) -> Iterator[Row]:
    latents = panel.plan.latents.tolist()
    for label, column in zip(labels, decided.associations, strict=True):
        for index, found in zip(latents, column, strict=False):  # none at all of a column that was refused
            yield association_row(found) | {"index": index, "label_id": label}


def _layer_facts(panel: Panel, columns: dict[str, Tensor], recall: dict[str, Any] | None) -> Row:
    whole = panel[Reconstruction].summarise()
    dense, pair = columns["is_dense"], columns["is_pair"]
    shares = [share for share in numbers(columns["mass_share"][dense]) if share is not None]
    return {
        "l0": whole.l0,
        "fvu": number(whole.fvu),
        "n_dense": int(dense.sum()),
        "n_borderline": int(columns["borderline"].sum()),
        "n_dead": int((columns["density"] == 0).sum()),
        "n_pairs": int(pair.sum()) // 2,
        "dense_mass_share": sum(shares) if whole.l0 > 0 else None,
        "massive_share": 1 - whole.ordinary / max(whole.tokens, 1),
        "median_norm": float(panel.plan.median_norm),
        "density_curve": numbers(columns["density"].sort(descending=True).values),
        "summary": {
            "n_detail": len(panel.plan.latents),
            "dense_in_pairs": int((dense & pair).sum()),
            "partner_recall": recall,  # of an approximate search
        },
    }
