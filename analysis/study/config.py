"""A study's file: read, checked, its paths made whole. No torch, so that a nightly call that finds nothing new
costs a second."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.config import AnalyzeConfig
from analysis.errors import BadFile, UserError
from analysis.field.config import FieldConfig
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.retrain.config import RetrainConfig
from analysis.reading.demo_parts import demo_corpus
from analysis.study.sections import Section, Values, checked, unknown
from analysis.training.config import TrainConfig
from store.session import database_url, sqlite_path

ACTIVATIONS, TEXTS = "activations", "texts"
TRAIN, ANALYSE, ABLATE, RETRAIN, VERDICTS, REPORT = "train", "analyse", "ablate", "retrain", "verdicts", "report"
_TOP = ("name", "db", ACTIVATIONS, TEXTS, TRAIN, "steps", ABLATE, RETRAIN, "attention")
_FILLED_IN = ("db", "resume", "classes", "ray", "actors", "tag")
_OF_THE_RUN = ("sae", "saes", "run", "model", "weights", "corpus", "json", "out", "ray", "actors", "db")
_KEEP = "keep"
_NAME = re.compile(r"[^/\\:*?\"<>|\x00-\x1f.-][^/\\:*?\"<>|\x00-\x1f]{0,79}")
_HUB = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?(?::[^/:@]+)?")


@dataclass(frozen=True)
class Attention:
    """What a new study must show to need attention."""

    lost: bool = True
    """A label was followed by a dense unit in the last study, and none follows it now."""
    drift: float = 0.1
    """Share of rows or tokens: a dense unit's density moved by more, beyond both intervals."""


@dataclass(frozen=True)
class StudyConfig:
    """What a study was asked for. Values are those of the commands' configurations, by field."""

    path: Path
    name: str
    db: str
    kind: str
    """ACTIVATIONS or TEXTS."""
    subject: Values
    """Of `FieldConfig` or `AnalyzeConfig`."""
    train: Values | None = None
    """Of `TrainConfig`; texts only."""
    keep: bool = True
    """An SAE that was trained for this study is taken again when only the data are others."""
    ablate: Values | None = None
    retrain: Values | None = None
    attention: Attention = field(default_factory=Attention)
    left_out: dict[str, str] = field(default_factory=dict)
    """Step -> why it is not taken although it was asked for."""

    @property
    def folder(self) -> Path:
        """Where the study's own files lie: beside the store, or beside the file where that is a server's."""
        path = sqlite_path(database_url(self.db))
        return self.path.parent if path is None else path.parent

    @property
    def state_path(self) -> Path:
        """What was done, and what came of it."""
        return self.folder / f"{self.name}.study.json"

    @property
    def report_path(self) -> Path:
        """The report in words."""
        return self.folder / f"{self.name}.report.md"

    @property
    def texts(self) -> bool:
        """Whether there is a model that reads."""
        return self.kind == TEXTS

    @property
    def trained_with(self) -> list[Any]:
        """What fixes the SAEs that a study of rows trains, but for the rows."""
        return [self.subject.get("train", ""), self.subject.get("bottleneck", 0), self.subject.get("seed", 0)]

    def section(self, title: str) -> Section:
        """How a section of this file is read."""
        return _section(self.path, title)

    def analyze_config(self, saes: list[str]) -> AnalyzeConfig:
        """Of the analysis of texts; needs torch where cuts are given."""
        return self.section(TEXTS).made(AnalyzeConfig, {**self.subject, "saes": saes, "db": self.db, "resume": True})

    def field_config(self, kept: list[str]) -> FieldConfig:
        """Of the analysis of rows.

        Args:
            kept: SAEs that were trained for this study before, and are taken in place of new ones.
        """
        values = {"name": self.name, **self.subject, "db": self.db}
        if kept:
            values |= {"saes": kept, "train": "", "bottleneck": 0}
        return self.section(ACTIVATIONS).made(FieldConfig, values)

    def ablate_config(self, sae: str, run: int) -> AblateConfig:
        """Of one SAE's ablation."""
        return self.section(ABLATE).made(AblateConfig, {**(self.ablate or {}), "sae": sae, "run": run, "db": self.db})

    def retrain_config(self, saes: list[str], run: int) -> RetrainConfig:
        """Of one run's retraining."""
        values = {**(self.retrain or {}), "saes": saes, "run": run, "db": self.db}
        return self.section(RETRAIN).made(RetrainConfig, values)

    def train_config(self, out: Path) -> TrainConfig:
        """Of the SAEs that are trained first."""
        return self.section(TRAIN).made(TrainConfig, {**(self.train or {}), "out": out})


def read_study(path: Path) -> StudyConfig:
    """Read and check a study's file.

    Raises:
        BadFile: no file, or no TOML.
        UserError: an unknown key (the nearest known one is named), a value of another type, parts that do not go
            together.
    """
    given = _parsed(path)
    for key in given:
        if key not in _TOP:
            raise UserError(unknown(path, key, _TOP))
    for title in _TOP[2:]:
        if not isinstance(given.get(title, {}), dict):
            raise UserError(f"{path}: {title}: expected a section [{title}]; found a value")
    name = _name(path, given.get("name"))
    kind = _kind(path, given)
    db = _db(path, checked(given.get("db", f"{name}.db"), str, f"{path}: db"))
    subject, train, keep = _subject(path, kind, given)
    steps, left_out = _steps(path, kind, given)
    study = StudyConfig(
        path=path, name=name, db=db, kind=kind, subject=subject, train=train, keep=keep,
        ablate=_options(path, ABLATE, given) if steps[ABLATE] else None,
        retrain=_options(path, RETRAIN, given) if steps[RETRAIN] else None,
        attention=_attention(path, given.get("attention", {})),
        left_out=left_out,
    )  # fmt: skip
    _try(study)
    return study


def _try(study: StudyConfig) -> None:
    """Make each configuration that needs no torch, so that a mistake is said before the first step."""
    if not study.texts:
        study.field_config([])
    if study.train is not None:
        study.train_config(study.folder)
    if study.ablate is not None:
        study.ablate_config("0", 1)
    if study.retrain is not None:
        study.retrain_config(["0"], 1)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadFile(path, "a study's TOML file", "no file") from None
    except OSError as error:
        raise BadFile(path, "a study's TOML file", str(error.strerror or error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(path, "TOML", str(error)) from None


def _name(path: Path, given: Any) -> str:
    if given is None:
        raise UserError(f'{path}: expected name = "..."; found none')
    name = str(checked(given, str, f"{path}: name"))
    if not _NAME.fullmatch(name):
        raise UserError(f"{path}: name: expected a name that files can have, of at most 80 letters; found {name!r}")
    return name


def _kind(path: Path, given: Mapping[str, Any]) -> str:
    found = [title for title in (ACTIVATIONS, TEXTS) if title in given]
    if len(found) != 1:
        raise UserError(
            f"{path}: expected one section, [activations] or [texts]; found {' and '.join(found) or 'none'}"
        )
    return found[0]


def _db(path: Path, given: str) -> str:
    return given if "://" in given else str(_whole(path, given))


def _section(path: Path, title: str) -> Section:
    known: dict[str, Section] = {
        TEXTS: Section(path, TEXTS, AnalyzeConfig, {}, _FILLED_IN),
        ACTIVATIONS: Section(path, ACTIVATIONS, FieldConfig, {"activations": "matrix", "saes": "sae"}, ("db",)),
        TRAIN: Section(path, TRAIN, TrainConfig, {}),
        ABLATE: Section(path, ABLATE, AblateConfig, {}, _OF_THE_RUN),
        RETRAIN: Section(path, RETRAIN, RetrainConfig, {}, _OF_THE_RUN),
    }
    return known[title]


def _subject(path: Path, kind: str, given: Mapping[str, Any]) -> tuple[Values, Values | None, bool]:
    own = _section(path, kind).read(given[kind], [_KEEP] if kind == ACTIVATIONS else [])
    if kind == ACTIVATIONS:
        if TRAIN in given:
            raise UserError(f'{path}: [train] is of texts; expected train = "batchtopk" in [activations]')
        if not own.get("activations"):
            raise UserError(f'{path}: [activations]: expected matrix = "..."; found none')
        own["activations"] = [_matrix(path, one) for one in own["activations"]]
        own |= {name: str(_whole(path, own[name])) for name in ("table", "head") if own.get(name)}
        own |= {"saes": [_place(path, one) for one in own["saes"]]} if own.get("saes") else {}
        return own, None, checked(given[kind].get(_KEEP, True), bool, f"{path}: [{kind}] {_KEEP}")
    if bool(own.get("saes")) == (TRAIN in given):
        found = "both" if TRAIN in given else "neither"
        raise UserError(f"{path}: [texts]: expected sae = [...], or a section [train]; found {found}")
    own |= {"corpus": _corpus(path, own.get("corpus", "demo"))}
    own |= {"model": _place(path, own["model"])} if "model" in own else {}
    own |= {"saes": [_place(path, one) for one in own["saes"]]} if own.get("saes") else {}
    if TRAIN not in given:
        return own, None, True
    train = _section(path, TRAIN).read(given[TRAIN], [_KEEP])
    train |= {"corpus": _corpus(path, train["corpus"])} if "corpus" in train else {}
    train |= {"model": _place(path, train["model"])} if "model" in train else {}
    train |= {"out": _whole(path, str(train["out"]))} if "out" in train else {}
    same = ("model", "corpus", "text_field", "encoding", "context", "device")
    train = {name: own[name] for name in same if name in own} | train
    return own, train, checked(given[TRAIN].get(_KEEP, True), bool, f"{path}: [{TRAIN}] {_KEEP}")


def _steps(path: Path, kind: str, given: Mapping[str, Any]) -> tuple[dict[str, bool], dict[str, str]]:
    """Step -> whether it is taken; step -> why not, although it was asked for."""
    asked = given.get("steps", {})
    for key, value in asked.items():
        if key not in (ABLATE, RETRAIN):
            raise UserError(unknown(path, key, (ABLATE, RETRAIN), "steps"))
        checked(value, bool, f"{path}: [steps] {key}")
    for title in (ABLATE, RETRAIN):
        if title in given and title in asked and not asked[title]:
            raise UserError(f"{path}: [{title}]: expected {title} = true in [steps]; found false")
    wanted = {
        ABLATE: asked.get(ABLATE, kind == TEXTS or ABLATE in given),
        RETRAIN: asked.get(RETRAIN, RETRAIN in given),
    }
    if kind == TEXTS:
        return wanted, {}
    why = "rows come without the model that made them"
    left_out = {title: why for title, taken in wanted.items() if taken}
    return dict.fromkeys(wanted, False), left_out


def _options(path: Path, title: str, given: Mapping[str, Any]) -> Values:
    return _section(path, title).read(given.get(title, {}))


def _attention(path: Path, given: Mapping[str, Any]) -> Attention:
    kinds: dict[str, type] = {"lost": bool, "drift": float}
    values = {}
    for key, value in given.items():
        if key not in kinds:
            raise UserError(unknown(path, key, kinds, "attention"))
        values[key] = checked(value, kinds[key], f"{path}: [attention] {key}")
    found = Attention(**values)
    if not 0 < found.drift <= 1:
        raise UserError(f"{path}: [attention] drift {found.drift}: expected a share above 0, at most 1")
    return found


def _whole(path: Path, given: str) -> Path:
    """Relative to the folder of the file."""
    return (path.parent / Path(given).expanduser()).resolve()


def matrix_path(source: str) -> Path:
    """Of `path`, or of `layer=path`."""
    _layer, _, rest = source.partition("=")
    return Path(rest if rest and not Path(source).exists() else source)


def _matrix(path: Path, given: str) -> str:
    """A path, or layer=path."""
    layer, _, rest = given.partition("=")
    if rest and not _whole(path, given).exists():
        return f"{layer}={_whole(path, rest)}"
    return str(_whole(path, given))


def _corpus(path: Path, given: str) -> str:
    """A place, or the shipped texts."""
    return str(demo_corpus()) if given == "demo" else _place(path, given)


def _place(path: Path, given: str) -> str:
    """A path where there is something, or where it can be nothing else; the shipped parts and names of the hub stay."""
    whole = _whole(path, given)
    if whole.exists() or given.startswith((".", "/", "~")):
        return str(whole)
    bare = "/" not in given and not Path(given).suffix
    return given if bare or ":" in given or _HUB.fullmatch(given) else str(whole)
