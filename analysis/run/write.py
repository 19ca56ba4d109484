"""Result -> rows: everything of a run in one transaction, `run.status` last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from sqlalchemy import Engine, Table, select, update
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.reading.documents import Document
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.run.declare import declare
from analysis.run.entities import added, corpus_row, model_row, run_row, sae_row
from analysis.run.evidence import Decided, Decisions
from analysis.run.panel import Panel
from analysis.run.pipeline import Result
from analysis.run.rows.classes import chain_rows, score_rows
from analysis.run.rows.examples import example_rows
from analysis.run.rows.labels import association_row, label_row
from analysis.run.rows.latents import latent_rows
from analysis.run.rows.pairs import pair_rows
from analysis.run.rows.plain import Row, number
from analysis.run.rows.profiles import (
    DETAIL_ITEMS,
    histogram_rows,
    position_rows,
    promoted_rows,
    strip_rows,
    token_rows,
    with_gap,
)
from analysis.statistics.examples import Examples
from analysis.statistics.geometry import Promoted, promoted_tokens
from analysis.statistics.geometry import columns as weight_columns
from analysis.statistics.histogram import Histogram
from analysis.statistics.joint import Joint
from analysis.statistics.positions import Positions
from analysis.statistics.reconstruction import Reconstruction
from analysis.statistics.top_tokens import TokenTable
from analysis.verdict import judge_analysis
from store.identity import find_sae
from store.search import index_analysis
from store.session import session_factory
from store.tables import (
    Analysis,
    Association,
    Base,
    Chain,
    Example,
    Label,
    Latent,
    Model,
    Pair,
    Profile,
    Run,
    Score,
)

_CHUNK = 2000  # rows per statement


def find_complete(engine: Engine, key: str) -> Run | None:
    """The newest complete run of this key, if the store has one."""
    with session_factory(engine)() as session:
        return session.scalar(select(Run).where(Run.key == key, Run.status == "complete").order_by(Run.id.desc()))


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


def write(engine: Engine, result: Result, documents: dict[int, Document], decisions: Decisions | None) -> int:
    """Store a run.

    Args:
        documents: those of the examples, by index.
        decisions: what is said of the latents; None where the run was asked for without classes.

    Returns:
        the run's id.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be written; nothing of the run is stored.
    """
    reading = result.reading
    words = reading.model.words()
    # what takes longest is made before the transaction, which holds the only writer's lock
    allowed = reading.model.sayable()
    promoted = [
        promoted_tokens(panel.sae.decoder, reading.model.unembedding(panel.sae.hook_out), allowed, DETAIL_ITEMS)
        for panel in result.panels
    ]
    with session_factory(engine)() as session, session.begin():
        declare(session)
        model = model_row(session, reading)
        run = run_row(session, result, model.id, corpus_row(session, reading).id)
        analyses = []
        for place, panel in enumerate(result.panels):
            # made one SAE at a time: the rows of all of them might not fit in memory
            rows = _SaeRows(result, place, words, documents, promoted[place])
            analyses.append(rows.insert(session, run.id, sae_row(session, model, panel.sae).id))
        if decisions is not None:
            _insert_decisions(session, run.id, analyses, result.panels, decisions)
        for analysis_id in analyses:
            judge_analysis(session, analysis_id)
            index_analysis(session, analysis_id)
        session.execute(update(Run).where(Run.id == run.id).values(status="complete"))
        return run.id


class _SaeRows:
    """All rows of one SAE."""

    def __init__(
        self, result: Result, place: int, words: list[str], documents: dict[int, Document], promoted: Promoted
    ) -> None:
        self.panel = panel = result.panels[place]
        geometry = result.geometry[place]
        sae, plan = panel.sae, panel.plan
        detail = set(plan.latents.tolist())
        tokens = panel[TokenTable].summarise()
        histogram = with_gap(*panel[Histogram].summarise(), sae.signed)
        columns = panel.columns() | weight_columns(geometry, sae.decoder, sae.bias)
        self.latents = latent_rows(columns, histogram, tokens, plan, words)
        self.profiles = [
            *histogram_rows(*histogram),
            *token_rows(tokens, detail, words),
            *promoted_rows(promoted, detail, words),
        ]
        for positions in panel.all(Positions):
            self.profiles += position_rows(positions.kind, plan.latents, positions.summarise(), sae.signed)
        if result.strip is not None:
            self.profiles += strip_rows(plan.latents, result.strip_acts[place])
        self.examples = list(example_rows(panel[Examples].summarise(), plan, documents))
        joint = panel[Joint].summarise()
        self.pairs = list(pair_rows(plan.pairs.first, plan.pairs.second, joint, geometry))

    def insert(self, session: Session, run_id: int, sae_id: int) -> int:
        """Insert all, foreign keys filled in; the analysis' id."""
        analysis = Analysis(run_id=run_id, sae_id=sae_id, **_layer_facts(self.panel, self.latents))
        session.add(analysis)
        session.flush()
        for table, rows in (
            (Latent, self.latents),
            (Profile, self.profiles),
            (Example, self.examples),
            (Pair, self.pairs),
        ):
            _insert(session, table, ({**row, "analysis_id": analysis.id} for row in rows))
        return analysis.id


def _insert_decisions(
    session: Session, run_id: int, analyses: list[int], panels: list[Panel], decisions: Decisions
) -> None:
    """Scores, chains and labels: after all SAEs, since chains lead from one to the next."""
    labels = [added(session, Label(run_id=run_id, **label_row(column))).id for column in decisions.columns]
    for analysis, panel, decided in zip(analyses, panels, decisions.saes, strict=True):
        for table, rows in (
            (Score, score_rows(panel.plan.latents, decided.scores)),
            (Chain, chain_rows(decided.chains, analyses)),
            (Association, _association_rows(panel, decided, labels)),
        ):
            _insert(session, table, ({**row, "analysis_id": analysis} for row in rows))


def _association_rows(panel: Panel, decided: Decided, labels: list[int]) -> Iterator[Row]:
    latents = panel.plan.latents.tolist()
    for label, column in zip(labels, decided.associations, strict=True):
        for index, found in zip(latents, column, strict=False):  # none at all of a column that was refused
            yield association_row(found) | {"index": index, "label_id": label}


def _insert(session: Session, table: type[Base], rows: Iterable[Row]) -> None:
    statement = cast(Table, table.__table__).insert()  # the ORM's own insert costs twice as much a row
    for chunk in _chunks(rows):
        session.execute(statement, chunk)


def _layer_facts(panel: Panel, latents: list[Row]) -> Row:
    whole = panel[Reconstruction].summarise()
    densities = sorted((row["density"] for row in latents), reverse=True)
    dense = [row for row in latents if row["is_dense"]]
    shares = [row["mass_share"] for row in dense if row["mass_share"] is not None]
    return {
        "l0": whole.l0,
        "fvu": number(whole.fvu),
        "n_dense": len(dense),
        "n_borderline": sum(row["borderline"] for row in latents),
        "n_dead": sum(row["density"] == 0 for row in latents),
        "n_pairs": sum(row["is_pair"] for row in latents) // 2,
        "dense_mass_share": sum(shares) if whole.l0 > 0 else None,
        "massive_share": 1 - whole.ordinary / max(whole.tokens, 1),
        "median_norm": float(panel.plan.median_norm),
        "density_curve": densities,
        "summary": {
            "n_detail": len(panel.plan.latents),
            "dense_in_pairs": sum(row["is_pair"] for row in dense),
        },
    }


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
