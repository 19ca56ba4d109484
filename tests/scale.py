"""What every page and API list of a store costs, to hold a store of a million latents against one of 16 thousand.

    python -m tests.scale demo.db --json demo.json
    python -m tests.scale big.db --against demo.json

Addresses come from the application's own routes, so that a new page is measured too; its parameters are filled in from
what the API says of the store, and `VARIANTS` adds what is asked of lists. For each address:

- cold: CPU ms of the server for the first answer, template compiled, nothing cached.
- warm: median of three further first visits. Pages are kept by address, so each has a parameter of its own (`visit=2`)
  that no page knows. What takes longer than `--long` seconds is asked once.
- again: the very address again: what the server keeps of pages.
- bytes as read and as sent (gzip), and the server's largest resident memory while it answered.

With `--against`, the last column is warm divided by warm there, and answers over 2 x + 50 ms are marked; exit status 1.
Whole lists are held against 2 x as many milliseconds a byte.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, unquote

import typer

from app.main import create_app
from app.settings import Settings
from tests.app.servers import all_routes
from tests.costs import Cost, Measured, machine_ms, measured

Figures = dict[str, Any]
"""A line as it is written into a file."""
Text = Callable[[str], str]
"""Address -> body of its answer."""
FACTOR, ALLOWANCE_MS = 2, 50
LEFT_OUT = re.compile(r"/static/|/images/|/log(in|out)$|/healthz$|/openapi.json$|/api/docs$|/api/v1/try$")
"""Does not ask the store."""
WHOLE = re.compile(r"/latents\.|\.jsonl$")
"""Whole lists: they may take longer by as much as they are longer."""
DEEP = 8
"""Pages of 500 before the deep one."""
_LISTS = (
    *("dense=any", "dense=any&sort=index", "dense=any&sort=antipodality", "dense=any&sort=max&order=asc"),
    *("sort=loss", "dense=any&sort=loss", "dense=any&q=sea", "dense=any&q=zzqx", "dense=any&class=content_word"),
    *("class=unexplained", "verdict=prune", "dense=any&min_density=0.001&max_density=0.002", "pair=true"),
    *("dense=any&duplicate=true", "dense=any&detail=any", "dense=any&detail=none", "annotated=true", "note=law"),
    *("category=any", "human=keep", "dense=any&annotated=false", "limit=500", "dense=any&limit=500"),
)
_WORDS = ("q=the", "q=whale", "q=whale+ship", "q=%22of+the%22", "q=th*", "q=zzqx", "q=law", "q=Old")
_KINDS = tuple(f"q=the&kind={kind}" for kind in ("token", "promoted", "context", "note", "category"))
VARIANTS = {
    "/latents": ("", *_LISTS, "sae={slug}", "dense=any&sae={slug}", "layer={layer}", "label={label}", "{deep}"),
    "/latents.{kind}": ("", "dense=any", "dense=any&sae={slug}"),
    "/api/v1/saes/{slug:path}/latents": (
        *("", "dense=true", "limit=500", "sort=index", "sort=antipodality", "sort=loss", "q=sea", "q=zzqx"),
        *("detail=any", "annotated=true", "class=unexplained", "verdict=prune", "label={label}"),
    ),
    "/search": ("", *_WORDS, *_KINDS, "q=the&kind=context&cursor=2000", "q=the&sae={slug}"),
    "/api/v1/search": (*_WORDS, *_KINDS, "q=the&kind=context&cursor=2000", "q=the&limit=100"),
    "/compare": ("", "a={slug}:{index}&b={slug}:{first}", "a={slug}:{index}&b={slug}:{first}&c={slug}:{second}"),
    "/annotations": ("", "limit=500"),
    "/annotations/activity": ("", "author=Ada", "sae={slug}"),
}
"""A route's path -> the query strings it is asked with; every other one is asked without."""


@dataclass(frozen=True)
class Line:
    """What one address cost."""

    address: str
    cold: Cost
    warm_ms: float | None
    again_ms: float | None


class Held(NamedTuple):
    """A line against that of a smaller store."""

    ratio: float
    slow: bool
    """It costs more than the promise allows."""


def known(text: Text) -> dict[str, list[str]]:
    """What fills the parameters of addresses, from the API: the SAE with most effects or dense latents stands for all.

    Several values of a parameter are several addresses. What is asked here is not the first visit of another.
    """
    saes = json.loads(text("/api/v1/saes?visit=0"))
    sae = max(saes, key=lambda one: (one["n_pairs"], one["n_dense"]))
    listed = f"/api/v1/saes/{sae['slug']}/latents?"
    dense = json.loads(text(f"{listed}dense=true&limit=1&visit=0"))["items"][0]
    rare = json.loads(text(f"{listed}detail=none&limit=1&visit=0"))["items"]
    pairs = json.loads(text(f"{listed}pair=true&limit=1&visit=0"))["items"]
    labels = json.loads(text("/api/v1/labels?visit=0"))
    return {
        "slug": [sae["slug"]],
        "layer": [str(sae["layer"])],
        "index": [str(one["index"]) for one in (dense, *rare)],
        "first": [str(pairs[0]["index"])] if pairs else [],
        "second": [str(pairs[0]["partner"])] if pairs else [],
        "label": [labels[0]["name"]] if labels else [],
        "part": ["all"],
        "number": [str(one["id"]) for one in json.loads(text("/api/v1/experiments?visit=0"))[:1]],
        "kind": ["csv", "jsonl", "parquet"],
        "name": [unquote(one) for one in re.findall(r'href="/views/([^"]+)"', text("/views?visit=0"))[:1]],
        "deep": _deep(text),
    }


def _deep(text: Text) -> list[str]:
    """The query of a page far down the list of all latents, by the links of the pages before."""
    query = "dense=any&limit=500"
    for _ in range(DEEP):
        after = re.search(r'href="[^"]*[?&;]cursor=([^"&]+)', text(f"/latents?{query}&visit=0"))
        if after is None:
            break
        query = f"dense=any&limit=500&cursor={after[1]}"
    return [query]


def addresses(routes: list[tuple[str, str]], values: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """All addresses to ask, and the routes that nothing is known to fill with."""
    found, empty = list[str](), list[str]()
    for path in sorted({path for method, path in routes if method == "GET" and not LEFT_OUT.search(path)}):
        made = [one for query in VARIANTS.get(path, ("",)) for one in _filled(f"{path}?{query}".rstrip("?"), values)]
        found += made
        if not made:
            empty.append(path)
    return found, empty


def _filled(template: str, values: dict[str, list[str]]) -> Iterator[str]:
    name = re.search(r"\{(\w+)(:path)?\}", template)
    if name is None:
        yield template
        return
    for value in values.get(name[1], []):
        written = value if name[1] == "deep" else quote(value, safe="/")
        yield from _filled(template.replace(name[0], written), values)


def cost_of(server: Measured, address: str, long_s: float, limit_s: float) -> Line:
    """Ask an address as the module's docstring says."""
    cold = server.get(address, limit_s)
    if cold.cut or cold.wall_ms > long_s * 1e3:
        return Line(address, cold, None, None)
    mark = "&" if "?" in address else "?"
    warm = [server.get(f"{address}{mark}visit={visit}", limit_s).cpu_ms for visit in range(2, 5)]
    return Line(address, cold, statistics.median(warm), server.get(address, limit_s).cpu_ms)


def shown(line: Line, held: Held | None) -> str:
    """A row of the table."""
    cold = line.cold
    cells = [
        f"{cold.status or '-':>6}",
        f"{'>' if cold.cut else ''}{cold.cpu_ms:,.1f}".rjust(10),
        ("-" if line.warm_ms is None else f"{line.warm_ms:,.1f}").rjust(10),
        ("-" if line.again_ms is None else f"{line.again_ms:,.1f}").rjust(8),
        f"{cold.size / 1e3:,.1f}".rjust(11),
        f"{cold.sent / 1e3:,.1f}".rjust(11),
        f"{cold.peak_mb:,.0f}".rjust(8),
    ]
    if held is not None:
        cells.append(f"{held.ratio:6.1f} x{' SLOW' if held.slow else ''}")
    return " ".join([*cells, f" {line.address}"])


def held_against(line: Line, now: Mapping[str, Line], before: Mapping[str, Figures]) -> Held | None:
    """A line against what it was before, if it was. Of whole lists `now` has those of the same query already."""
    old = before.get(_key(line.address))
    if old is None:
        return None
    whole, spent, there = bool(WHOLE.search(line.address)), warm_ms(asdict(line)), max(warm_ms(old), 0.1)
    allowed = FACTOR * there * (_longer(line.address, now, before) if whole else 1.0) + ALLOWANCE_MS
    # also of a list that was cut it is known how much was read
    return Held(spent / there, spent > allowed or (line.cold.cut and not whole))


def _longer(address: str, now: Mapping[str, Line], before: Mapping[str, Figures]) -> float:
    """How often as long a list is; of a Parquet file, which packs what repeats, the JSON lines of the same list."""
    twin = _key(address.replace(".parquet", ".jsonl"))
    return max(1.0, now[twin].cold.size / before[twin]["cold"]["size"]) if twin in now and twin in before else 1.0


def warm_ms(line: Figures) -> float:
    """CPU ms of a later first visit; of what was asked once, of the first."""
    return float(line["cold"]["cpu_ms"] if line["warm_ms"] is None else line["warm_ms"])


HEAD = "status    cold ms    warm ms again ms     kB read     kB sent  peak MB"


def main(
    store: Annotated[str, typer.Argument(help="A store (SQLite).")],
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
    against: Annotated[Path | None, typer.Option(help="Figures of a smaller store.")] = None,
    only: Annotated[str, typer.Option(help="Regular expression: measure these addresses alone.")] = "",
    long_s: Annotated[float, typer.Option("--long", help="What takes longer (s) is asked once.")] = 20,
    limit_s: Annotated[float, typer.Option("--limit", help="Nothing is waited for longer (s).")] = 300,
) -> None:
    """Measure all pages and lists of a store."""
    application = create_app(Settings(db=store))
    before = json.loads(against.read_text()) if against else None
    earlier: dict[str, Figures] = before["lines"] if before else {}
    machine, lines, slow = machine_ms(), dict[str, Line](), False
    there = f" (there {before['machine_ms']:.1f} ms)" if before else ""
    typer.echo(f"{store}; a loop of a million steps takes {machine:.1f} ms of CPU{there}")
    with measured(store) as server:
        asked, empty = addresses(all_routes(application), known(server.text))
        typer.echo(HEAD)
        for address in filter(re.compile(only).search, asked):
            line = lines[_key(address)] = cost_of(server, address, long_s, limit_s)
            held = held_against(line, lines, earlier)
            slow |= held is not None and held.slow
            typer.echo(shown(line, held))
    for path in empty:
        typer.echo(f"not asked, nothing in the store fills it: {path}")
    typer.echo(f"a loop of a million steps takes {machine_ms():.1f} ms of CPU")
    if out is not None:
        made = {key: asdict(line) for key, line in lines.items()}
        out.write_text(json.dumps({"store": store, "machine_ms": machine, "lines": made}, indent=1))
    sys.exit(slow)


def _key(address: str) -> str:
    """The same of both stores: indices and cursors differ."""
    return re.sub(r"cursor=[^&]{12,}", "cursor=deep", address)


if __name__ == "__main__":
    typer.run(main)
