"""What a run will hold in memory and how long it will take: said before the work, and kept within `--memory`.

From configurations alone, by the same rules as `inspect`. SAEs that do not fit together are read one
after another, each group as a run of its own; a suite puts them on the same pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.console import Console

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.reading.sae import expanded
from analysis.run.inspect import TOKENS, Inspected, duration, inspected
from analysis.statistics.cofiring import ENTRIES

GB = 1e9
WIDE = 65_536  # latents from which on the plan is said without being asked for
_BASE = 0.7 * GB  # Python, torch and the text
_ENTRY = 16  # bytes an activation of the tokens that are encoded at a time: the matrix, and what is made of it
_AT_A_TIME = 2**26  # activations, at most; see `analysis.reading.firing`
_COUNTED = 4 * (256 + 64) + 200  # bytes a latent: histogram, density by group, moments, partners
_TOGETHER = 12 * 300  # bytes a latent: what fires with the dense ones, if there are so many; see `statistics.cofiring`
_TYPES = 96 * 32  # bytes a latent, at most: its token types with their sums
_FIRING = 32  # bytes a firing, and there are no more types than firings
_WRITTEN = 2_400  # bytes a latent: the tables that rows are made of


@dataclass(frozen=True)
class Cost:
    """Of one SAE in a run, in bytes and seconds."""

    source: str
    stays: float  # weights and sums
    passing: float  # at most, beside what stays: partner search, a batch, rows
    model: float
    seconds: float  # reading the text, the model included


def groups(config: AnalyzeConfig, console: Console) -> list[AnalyzeConfig]:
    """The configuration, or one for each group of SAEs that fits into `--memory`; the plan is printed.

    Raises:
        UserError: a single SAE does not fit.
    """
    costs = [_cost(source, config) for source in expanded(config.saes)] if _worth_it(config) else []
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return [config]
    parts = [known] if config.memory is None else _split(known, config.memory * GB)
    for number, part in enumerate(parts, 1):
        which = f"reading {number} of {len(parts)}" if len(parts) > 1 else "plan"
        console.print(
            f"{which}: {len(part)} SAE{'s' * (len(part) > 1)}, at most about {held(part) / GB:.1f} GB, about"
            f" {duration(max(cost.seconds for cost in part))} for {config.tokens:,} tokens on an idle machine"
        )
    return [replace(config, saes=[cost.source for cost in part]) for part in parts]


def held(costs: list[Cost]) -> float:
    """Bytes at the peak, for SAEs read together."""
    return _BASE + costs[0].model + sum(cost.stays for cost in costs) + max(cost.passing for cost in costs)


def _split(costs: list[Cost], room: float) -> list[list[Cost]]:
    """In the order given, as many together as fit."""
    parts: list[list[Cost]] = []
    for cost in costs:
        if held([cost]) > room:
            raise UserError(
                f"--memory {room / GB:g}: expected at least {held([cost]) / GB:.1f} (GB); {cost.source} takes so much"
                " with the model"
            )
        if parts and held([*parts[-1], cost]) <= room:
            parts[-1].append(cost)
        else:
            parts.append([cost])
    return parts


def _worth_it(config: AnalyzeConfig) -> bool:
    """Asked for, or wide; a small SAE begins at once."""
    from analysis.reading.sae import describe_sae

    if config.memory is not None:
        return True
    return any((describe_sae(source).n_latents or 0) >= WIDE for source in expanded(config.saes))


def _cost(source: str, config: AnalyzeConfig) -> Cost | None:
    """None where its configuration does not tell; loading it says why."""
    found: Inspected = inspected(source, config.model)
    sae = found.sae
    if not (found.fits and sae.n_latents and found.bytes_sae):
        return None
    latents, fired = sae.n_latents, config.tokens * (sae.l0 or 100)
    sums = latents * _COUNTED + min(latents * _TOGETHER, 12 * ENTRIES) + min(latents * _TYPES, fired * _FIRING)
    batch = _ENTRY * min(_AT_A_TIME, config.contexts * config.context * latents)
    passing = max(found.bytes_sae, batch, latents * _WRITTEN)
    seconds = (found.seconds or 0.0) * config.tokens / TOKENS
    return Cost(source, found.bytes_sae + sums, passing, float(found.bytes_model or 0), seconds)
