"""A store with as many latents as one likes, made of a small one: what its pages cost there can be measured.

    python -m tests.multiply_store demo.db big.db --latents 1000000

Each SAE becomes wider: latent i of the source is latent i + k * width of block k. What was chosen, and why:

- Wider SAEs, not more of them: a store grows to a million by SAEs of 65 thousand latents and more, of a dozen layers.
- Blocks 0 to `--dense` - 1 (8: some thousands dense latents in all, as in SAEs of that size) are copied whole, with all
  that hangs on their latents: profiles, examples, scores, chains, associations, effects, stability, verdicts, pairs,
  annotations. A table that has an owner and an index is found by itself, so new ones come along.
- Further blocks hold latents that are neither dense nor have detail: each is one of the source's of that kind, in their
  order, with its token lists and histogram. Their densities are divided by the number of blocks, since an SAE's L0 does
  not grow with its width.
- Examples of a copied block have one token replaced by the block's number: the contexts of other latents are other
  contexts, and `store.search` would keep alike ones once. What can be searched is made anew by the migrations' runner,
  as of any store that has none.
- Counts, L0 and density curve of an analysis, and those of an experiment's arms, follow. `mass_share`, indices inside
  of JSON, and the weights' SHA-256 do not: nobody adds them up.
- Where nobody wrote anything, a team does first: notes, categories and verdicts of people on a quarter of the dense
  latents and pairs, two versions of each third. With `--latents` of the source that is all that is done.

Values repeat, so an order by density has long ties: the harder case for a cursor; answers pack better than real ones.
A million latents of the demo's take 5 GB and eight minutes of CPU, most of it for the search index.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from sqlalchemy import Table
from sqlalchemy.orm import Session

from migrations.runner import upgrade
from store.session import make_engine, session_factory, sqlite_module
from store.tables import Analysis, Annotation, Base, Category, Latent, Sae, SavedView
from store.tables.team import ALONE

OWNERS = {
    "analysis_id": "SELECT a.id, s.n_latents FROM analysis a JOIN sae s ON s.id = a.sae_id",
    "intervention_id": "SELECT i.id, s.n_latents FROM intervention i JOIN analysis a ON a.id = i.analysis_id"
    " JOIN sae s ON s.id = a.sae_id",
    "experiment_id": "SELECT e.id, s.n_latents FROM experiment e JOIN sae s ON s.id = e.sae_id",
    "sae_sha256": "SELECT sha256, n_latents FROM sae",
}
"""Column that says whose latents a row is about -> each owner's width in the source."""
INDICES = ("index", "other", "positive", "negative", "partner", "duplicate_of", "mirror")
"""Columns that hold a latent's index."""
REMADE = {"search_text", "latent_token"}
"""Made anew from the other rows."""
NAMES = ("Ada", "Grace", "Emmy", "Mary", "Sofia")


class Wide(NamedTuple):
    """One analysis, and how wide its SAE becomes."""

    analysis: int
    sae: int
    width: int
    wanted: int

    @property
    def blocks(self) -> float:
        """How often the source's latents go in."""
        return self.wanted / self.width


def multiply(source: Path, target: Path, latents: int, dense: int = 8) -> int:
    """Write the larger store; how many latents it has, `latents` within one an analysis.

    Args:
        dense: how many blocks are copied whole, at most.

    Raises:
        ValueError: `target` is there, fewer latents are wanted than there are, or none is without detail.
    """
    copy_store(source, target)
    _inhabited(target)
    with closing(sqlite_module().connect(target, isolation_level=None)) as database:
        # the target is nobody's yet: if this stops midway it is thrown away
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY", "cache_size = -400000"):
            database.execute(f"PRAGMA {pragma}")
        made = _widened(database, latents, dense)
        if made:
            database.execute("DELETE FROM search_text")
        database.execute("PRAGMA journal_mode = WAL")
    upgrade(str(target), backup=False)
    check(target)
    return made or latents


def check(store: Path) -> None:
    """The database's own checks, and ours that each SAE is as wide as it says.

    Raises:
        ValueError: one of them fails.
    """
    with closing(sqlite_module().connect(store)) as database:
        database.execute("INSERT INTO search_index(search_index) VALUES ('integrity-check')")
        for test in ("integrity_check", "foreign_key_check"):
            if (said := database.execute(f"PRAGMA {test}").fetchall()) not in ([], [("ok",)]):
                raise ValueError(f"{store}: PRAGMA {test} says {said[:3]}")
        narrow = database.execute(
            "SELECT a.id FROM analysis a JOIN sae s ON s.id = a.sae_id WHERE s.n_latents !="
            " (SELECT count(*) FROM latent WHERE analysis_id = a.id)"
        ).fetchall()
        if narrow:
            raise ValueError(f"{store}: analyses {narrow} have another number of latents than their SAE")
        database.rollback()


def copy_store(source: Path, target: Path) -> None:
    """Copy a store as it is at one moment.

    Raises:
        ValueError: `target` is there.
    """
    if target.exists():
        raise ValueError(f"{target} is there already; choose another name, or remove it")
    with (
        closing(sqlite_module().connect(f"file:{source.resolve()}?mode=ro", uri=True)) as old,
        closing(sqlite_module().connect(target)) as new,
    ):
        old.backup(new)  # also what its log holds


def _inhabited(target: Path) -> None:
    engine = make_engine(target)
    with session_factory(engine)() as session:
        if not session.query(Annotation).count():
            session.add_all([*_categories(), *_views(), *_annotations(session)])
            session.commit()
    engine.dispose()


def _categories() -> Iterator[Category]:
    for number, title in enumerate(("Names of ships", "End of a speech", "Old spelling")):
        colour = ("teal", "olive", "plum")[number]
        yield Category(
            key=f"team-{number + 1}",
            title=title,
            colour=colour,
            description=f"{title}, as we use the word.",
            archived=False,
            author=NAMES[number],
            changed=datetime(2026, 11, 25, 12, number),
        )


def _views() -> Iterator[SavedView]:
    for number, address in enumerate(("/latents?verdict=prune", "/latents?pair=true&sort=antipodality")):
        yield SavedView(
            name=f"View {number + 1}", address=address, author=NAMES[number], created=datetime(2026, 11, 25, 13, number)
        )


def _annotations(session: Session) -> Iterator[Annotation]:
    """Of every fourth dense latent, and of its pair where it is the smaller index of one."""
    shown = session.query(Sae.sha256, Latent.index, Latent.partner, Latent.is_pair)
    shown = shown.join(Analysis, Analysis.sae_id == Sae.id).join(Latent, Latent.analysis_id == Analysis.id)
    found = shown.filter(Latent.is_dense).order_by(Sae.id, Latent.index).distinct().all()
    subjects = dict.fromkeys((sha, index, ALONE) for sha, index, *_ in found[::4])
    subjects |= dict.fromkeys((sha, i, other) for sha, i, other, pair in found[::4] if pair and other and i < other)
    for number, (sha, index, other) in enumerate(subjects):
        versions = 1 if number % 3 else 2
        for version in range(1, versions + 1):
            yield Annotation(
                sae_sha256=sha,
                index=index,
                other=other,
                version=version,
                latest=version == versions,
                category=(None, "team-1", "team-2", "position")[number % 4],
                verdict=("keep", "investigate", None, "prune")[number % 4],
                note=f"Fires on {('the sea', 'law and taxes', 'quotations')[number % 3]}; see again ({version}).",
                author=NAMES[(number + version) % len(NAMES)],
                created=datetime(2026, 11, 26) + timedelta(minutes=7 * number + version),
                restores=None,
            )


def _widened(database: Any, latents: int, dense: int) -> int:
    """Do all of it; how many latents there are then, 0 where there is nothing to do."""
    analyses = _planned(database, latents)
    whole = min(dense, *(int(one.blocks) for one in analyses))
    if not any(one.wanted > one.width for one in analyses):
        return 0
    _numbers(database, max(one.wanted for one in analyses), whole)
    for table in Base.metadata.sorted_tables:
        if table.name not in REMADE:
            _copy_blocks(database, table)
    for one in analyses:
        _add_sparse(database, one, whole)
    for sae, wanted in {one.sae: one.wanted for one in analyses}.items():
        database.execute("UPDATE sae SET n_latents = ? WHERE id = ?", (wanted, sae))
    for one in analyses:
        database.execute(_FACTS, {"analysis": one.analysis})
    _widen_arms(database, analyses, whole)
    return sum(one.wanted for one in analyses)


def _planned(database: Any, latents: int) -> list[Wide]:
    rows = database.execute("SELECT a.id, s.id, s.n_latents FROM analysis a JOIN sae s ON s.id = a.sae_id").fetchall()
    total = sum(width for *_, width in rows)
    if latents < total:
        raise ValueError(f"the source has {total:,} latents already; {latents:,} are fewer")
    return [Wide(analysis, sae, width, width * latents // total) for analysis, sae, width in rows]


def _numbers(database: Any, most: int, whole: int) -> None:
    """Temporary tables: 0, 1, 2, ...; the numbers of the blocks to copy; each owner's width."""
    database.execute("CREATE TEMP TABLE number (n INTEGER PRIMARY KEY)")
    upto = "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < ?) INSERT INTO number SELECT n"
    database.execute(f"{upto} FROM r", (most,))
    database.execute("CREATE TEMP TABLE block AS SELECT n AS k FROM number WHERE n BETWEEN 1 AND ?", (whole - 1,))
    for owner, widths in OWNERS.items():
        database.execute(f"CREATE TEMP TABLE wide_{owner} (id PRIMARY KEY, width)")
        database.execute(f"INSERT INTO wide_{owner} {widths}")


def _copy_blocks(database: Any, table: Table) -> None:
    """Copy the rows that are about latents, if the table has any."""
    owner = next((name for name in OWNERS if name in table.columns), None)
    indices = [name for name in INDICES if name in table.columns]
    if owner is None or not indices:
        return
    # a number of its own is given anew; rows have it in the order of the blocks
    names = [column.name for column in table.columns if not _counted(table, column.name)]
    values = ", ".join(_copied_value(table, name) for name in names)
    joined = f'JOIN wide_{owner} w ON w.id = r."{owner}"'
    if "other_analysis_id" in table.columns:
        joined += " JOIN wide_analysis_id o ON o.id = r.other_analysis_id"
    listed, some = ", ".join(f'"{name}"' for name in names), " OR ".join(f'r."{name}" IS NOT NULL' for name in indices)
    order = ", ".join(["b.k", *(f'r."{column.name}"' for column in table.primary_key.columns)])
    database.execute(
        f'INSERT INTO "{table.name}" ({listed}) SELECT {values} FROM block b CROSS JOIN "{table.name}" r {joined}'
        f" WHERE {some} ORDER BY {order}"
    )


def _counted(table: Table, column: str) -> bool:
    return [one.name for one in table.primary_key.columns] == ["id"] and column == "id"


def _copied_value(table: Table, column: str) -> str:
    name = f'r."{column}"'
    if column in INDICES:
        width = "o.width" if column == "other" and "other_analysis_id" in table.columns else "w.width"
        return f"CASE WHEN {name} < 0 THEN {name} ELSE {name} + b.k * {width} END"  # below 0: no other (ALONE)
    if (table.name, column) == ("effect", "number"):
        return f"{name} + b.k * (SELECT max(number) + 1 FROM effect e WHERE e.intervention_id = r.intervention_id)"
    if (table.name, column) == ("example", "tokens"):
        other = f"json_set({name}, '$[' || (r.focus = 0) || ']', ' ' || (b.k + 1))"
        return f"CASE WHEN json_array_length({name}) > 1 THEN {other} ELSE {name} END"
    return name


def _add_sparse(database: Any, one: Wide, whole: int) -> None:
    """The latents without detail of the blocks that are not copied whole, and what hangs on them."""
    first = whole * one.width
    many = _donors(database, one)
    for table in Base.metadata.sorted_tables:
        if table.name in REMADE or not {"analysis_id", "index"} <= set(table.columns.keys()):
            continue
        changed = {"index": "n.n"} | (_SPARSE if table.name == "latent" else {})
        names = [column.name for column in table.columns]
        listed = ", ".join(f'"{name}"' for name in names)
        values = ", ".join(changed.get(name, f'r."{name}"') for name in names)
        database.execute(
            f'INSERT INTO "{table.name}" ({listed}) SELECT {values} FROM number n'
            f" CROSS JOIN donor d ON d.place = (n.n - {first}) % {many}"
            f' CROSS JOIN "{table.name}" r ON r.analysis_id = :analysis AND r."index" = d."index"'
            + (
                f' LEFT JOIN donor p ON p."index" = r.partner AND n.n - d.place + p.place < {one.wanted}'
                if table.name == "latent"
                else ""
            )
            + f" WHERE n.n >= {first} AND n.n < {one.wanted}",
            {"analysis": one.analysis, "blocks": one.blocks},
        )


def _donors(database: Any, one: Wide) -> int:
    """A temporary table of the source's latents that are neither dense nor have detail; how many."""
    database.execute("DROP TABLE IF EXISTS temp.donor")
    database.execute(
        'CREATE TEMP TABLE donor AS SELECT row_number() OVER (ORDER BY "index") - 1 AS place, "index" FROM latent'
        ' WHERE analysis_id = ? AND "index" < ? AND NOT is_dense AND detail IS NULL',
        (one.analysis, one.width),
    )
    database.execute("CREATE UNIQUE INDEX temp.ix_donor_place ON donor (place)")
    database.execute('CREATE UNIQUE INDEX temp.ix_donor_index ON donor ("index")')
    many = int(database.execute("SELECT count(*) FROM donor").fetchone()[0])
    if not many:
        raise ValueError(f"analysis {one.analysis} has no latent without detail that could be multiplied")
    return many


def _widen_arms(database: Any, analyses: list[Wide], whole: int) -> None:
    """Arms are as wide as the SAE they are held against: their densities go in as its latents' do."""
    blocks = max(one.blocks for one in analyses)
    rows = database.execute(
        "SELECT a.rowid, a.density_curve, a.width, e.dense_threshold FROM arm a JOIN experiment e"
        " ON e.id = a.experiment_id"
    ).fetchall()
    for row, curve, width, threshold in rows:
        wanted, densities = int(width * blocks), json.loads(curve)
        rare = [value / blocks for value in densities if value < threshold]
        made = densities * whole + list(islice(cycle(rare), max(0, wanted - whole * len(densities))))
        database.execute(
            "UPDATE arm SET width = ?, density_curve = ?, n_dense = n_dense * ?, n_pairs = n_pairs * ?,"
            " n_dense_low = n_dense_low * ?, n_dense_high = n_dense_high * ? WHERE rowid = ?",
            (wanted, json.dumps(sorted(made, reverse=True)), *[whole] * 4, row),
        )


_SPARSE = {
    **{name: f"r.{name} / :blocks" for name in ("density", "density_low", "density_high")},
    "borderline": "0",
    # a partner without detail is beside it in the same block; another is the one of block 0, which has its own
    "partner": "coalesce(n.n - d.place + p.place, r.partner)",
    "mutual": "CASE WHEN p.place IS NULL THEN 0 ELSE r.mutual END",
    "is_pair": "0",
}
"""Column of a latent without detail -> its value in a further block."""

_FACTS = """
UPDATE analysis SET
  l0 = f.l0, n_dense = f.dense, n_borderline = f.borderline, n_dead = f.dead, n_pairs = f.pairs / 2,
  density_curve = f.curve,
  summary = json_set(summary, '$.n_detail', f.detail, '$.dense_in_pairs', f.dense_in_pairs)
FROM (
  SELECT sum(density) AS l0, sum(is_dense) AS dense, sum(borderline) AS borderline, sum(density = 0) AS dead,
    sum(is_pair) AS pairs, sum(detail IS NOT NULL) AS detail, sum(is_dense AND is_pair) AS dense_in_pairs,
    json_group_array(density) AS curve
  FROM (SELECT * FROM latent WHERE analysis_id = :analysis ORDER BY density DESC)
) AS f WHERE id = :analysis
"""


def main(
    source: Annotated[Path, typer.Argument(help="A store (SQLite).")],
    target: Annotated[Path, typer.Argument(help="Is made; must not be there.")],
    latents: Annotated[int, typer.Option(help="Latents of all analyses together.")] = 1_000_000,
    dense: Annotated[int, typer.Option(help="Blocks that are copied with all their detail.")] = 8,
) -> None:
    """Multiply a store."""
    begun = time.monotonic()
    try:
        made = multiply(source, target, latents, dense)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    size = target.stat().st_size / 1e6
    typer.echo(f"{target}: {made:,} latents, {size:,.0f} MB, {time.monotonic() - begun:.0f} s; checked")


if __name__ == "__main__":
    typer.run(main)
