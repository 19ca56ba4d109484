"""SAEs: find, check, fingerprint, load, encode. With `layouts` and `registry`, all that knows sae-lens here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import BadFile, UserError
from analysis.hashing import hash_of
from analysis.process.library import library_warnings, unfollowed
from analysis.reading import hook_names
from analysis.reading.batches import Firing
from analysis.reading.bottleneck import BOTTLENECK, Bottleneck, load_bottleneck
from analysis.reading.described import SKIP, TRANSCODERS, Described, check, describe
from analysis.reading.firing import at_once, fire
from analysis.reading.hub import fetched_folder, fetching, listing
from analysis.reading.identity import weights_hash
from analysis.reading.layouts import NAMES, SAE_LENS, SCALER, layout_of, saes_in
from analysis.reading.registry import described_entry, hub_config, tensors_only
from analysis.reading.sae_files import CONFIG, HASH, check_finite, checked_hash, read_json

WEIGHTS = SAE_LENS
REPORT = "training_report.json"
_FILES = (*NAMES, CONFIG, "config.json", SCALER, HASH, REPORT, BOTTLENECK)  # what a folder of an SAE may have
__all__ = [
    "CONFIG", "HASH", "REPORT", "WEIGHTS", "LoadedSae", "check_fits", "describe_sae", "expanded", "load_sae",
    "slug_part", "slugify",
]  # fmt: skip


@dataclass(frozen=True)
class LoadedSae:
    """An SAE ready to encode, and all that is stored about it.

    `encoder` is [N, d_in] or None where the architecture has none; `decoder` is [N, d_out];
    `bias` is b_dec [d_out] or None. All float32. `hook_out` is where a transcoder writes, and what it predicts;
    of an SAE it is `hook_point`, and d_out is d_in. `sha256` is its identity (see `identity`), `former` what older
    versions called it. With a bottleneck beside it, its latents read what that leaves, `encoder` is what they read of
    the input itself, and `decode` gives both parts.
    """

    module: Any
    source: str
    sha256: str
    former: list[str]
    hook_point: str
    hook_out: str
    layer: int
    architecture: str
    dtype: str
    encoder: Tensor | None
    decoder: Tensor
    bias: Tensor | None
    details: dict[str, Any]
    training: dict[str, Any] | None
    bottleneck: Bottleneck | None = None

    @property
    def core(self) -> Any:
        """sae-lens' own module, whose tensors are the weights."""
        return self.module.module if isinstance(self.module, _WithInput) else self.module

    @property
    def n_latents(self) -> int:
        """N."""
        return self.decoder.shape[0]

    @property
    def d_in(self) -> int:
        """Width of what it reads."""
        return self.decoder.shape[1] if self.encoder is None else self.encoder.shape[1]

    @property
    def d_out(self) -> int:
        """Width of what it gives, and of its decoder's directions."""
        return self.decoder.shape[1]

    @property
    def transcodes(self) -> bool:
        """Whether it predicts another place's activations from those it reads."""
        return self.architecture in TRANSCODERS

    @property
    def hooks(self) -> list[str]:
        """What is to be read of the model for it: what it reads, and what it is held against."""
        return list(dict.fromkeys((self.hook_point, self.hook_out)))

    @property
    def settings(self) -> str:
        """Hash of what besides the weights fixes its activations: architecture, k, hook point, input handling."""
        keep = {name: value for name, value in self.details.items() if name not in ("metadata", "dtype")}
        return hash_of([self.hook_point, self.centred, keep], sort_keys=True)

    @property
    def signed(self) -> bool:
        """Whether activations can be negative (AbsTopK)."""
        return self.architecture == "abstopk"

    @property
    def neuronpedia_id(self) -> str | None:
        """Its name on Neuronpedia, if its metadata have one."""
        name = self.details.get("metadata", {}).get("neuronpedia_id")
        return None if name is None else str(name)

    @property
    def centred(self) -> bool:
        """Whether it was trained on activations with centred writing weights."""
        arguments = self.details.get("metadata", {}).get("model_from_pretrained_kwargs") or {}
        return bool(arguments.get("center_writing_weights"))

    @property
    def prepend_bos(self) -> bool:
        """Whether contexts begin with BOS for it; one that says nothing is read so, as sae-lens reads it."""
        return {**self.details, **self.details.get("metadata", {})}.get("prepend_bos") is not False

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """[n, d_in] float32 -> activations [n, N] float32, through sae-lens."""
        return self.module.encode(x).float()  # type: ignore[no-any-return]

    def encode_some(self, x: Tensor, latents: Tensor) -> Tensor:
        """[n, d_in] float32 -> activations [n, m] float32 of m of its latents; of a wide SAE few tokens at a time."""
        parts = [self.encode(some)[:, latents] for some in x.split(at_once(self.n_latents))]  # type: ignore[no-untyped-call]
        return torch.cat(parts) if parts else x.new_zeros(0, len(latents))

    @torch.no_grad()
    def fire(self, x: Tensor) -> Firing:
        """[n, d_in] float32 -> the activations that are not 0, the same as `encode`'s."""
        if not isinstance(self.module, _WithInput):
            return fire(self.module, x, self.n_latents)
        self.module.seen = x
        return fire(self.core, self.module.read(x), self.n_latents)

    @torch.no_grad()
    def decode(self, acts: Tensor) -> Tensor:
        """[n, N] -> what it rebuilds or predicts, [n, d_out] float32; call it right after `encode` of these tokens."""
        return self.module.decode(acts).float()  # type: ignore[no-any-return]


class _WithInput(nn.Module):
    """A skip transcoder, or an SAE with a bottleneck: `decode` has what does not go through the latents, too."""

    def __init__(self, module: Any, bottleneck: Bottleneck | None) -> None:
        super().__init__()
        self.module, self.bottleneck = module, bottleneck
        self.seen: Tensor | None = None

    def read(self, x: Tensor) -> Tensor:
        """What the latents read of the input."""
        return x if self.bottleneck is None else self.bottleneck.rest(x)

    def encode(self, x: Tensor) -> Tensor:
        """As the module's; the input is kept for `decode`."""
        self.seen = x
        found: Tensor = self.module.encode(self.read(x))
        return found

    def decode(self, acts: Tensor) -> Tensor:
        """The latents' part and that of the skip connection or the bottleneck."""
        found: Tensor = self.module.decode(acts)
        if self.seen is None:
            return found
        seen = self.seen.to(found)
        beside: Tensor = seen @ self.module.W_skip.T if self.bottleneck is None else self.bottleneck(seen)
        return found + beside


def describe_sae(source: str) -> Described:
    """What an SAE is, from its configuration alone; only of a repository in another layout are weights fetched.

    Raises:
        UserError: nothing there, or a configuration that is none.
    """
    path = Path(source)
    if path.exists():
        layout = layout_of(path)
        return describe(source, layout.name, layout.config)
    if ":" not in source:
        raise UserError(
            f"--sae {source}: expected a folder in sae-lens' format, sparsify's or Gemma Scope's, or release:sae_id;"
            " found neither"
        )
    release, sae_id = source.split(":", 1)
    known = described_entry(release, sae_id)
    if known is None:
        return _described_repository(source, release, sae_id)
    if known.architecture is not None or not known.hook_point:
        return known
    with _reaching(source), fetching():
        config = hub_config(release, sae_id)
    return describe(source, known.layout, config, known.l0)


def _described_repository(source: str, repository: str, inside: str) -> Described:
    """Of a repository outside the registry; what is not in sae-lens' layout is told by its weights alone."""
    with _reaching(source), fetching():
        if f"{inside}/{WEIGHTS}" in listing(repository):
            return describe(source, "hub", hub_config(repository, inside))
        layout = layout_of(fetched_folder(repository, inside, _FILES))
    return describe(source, f"hub ({layout.name})", layout.config)


def expanded(sources: list[str]) -> list[str]:
    """Each SAE once: a folder that holds several in its subfolders stands for all of them, in order.

    Raises:
        BadFile: a folder without any.
    """
    found = list[str]()
    for source in sources:
        path = Path(source)
        found += [str(folder) for folder in saes_in(path)] if path.is_dir() else [source]
    return found


def load_sae(source: str, *, device: str = "cpu", place: str | None = None) -> LoadedSae:
    """Load an SAE folder, or `release:sae_id` from sae-lens' registry or the hub.

    Args:
        place: where it reads in somebody's own network, whatever it says itself; only of a folder.

    Raises:
        UserError: nothing there, metadata missing, or an SAE that is not read here; before anything is fetched.
        BadFile: pickles, truncated or over-long files, non-finite weights, another hash than recorded.
    """
    if Path(source).exists():
        return _load_folder(Path(source), source, device, place)
    found = check(describe_sae(source))
    release, sae_id = source.split(":", 1)
    if described_entry(release, sae_id) is not None:
        return _load_release(found, device)
    with _reaching(source):
        return _load_folder(fetched_folder(release, sae_id, _FILES), source, device)


def check_fits(sae: LoadedSae, width: Callable[[str], int], n_layers: int) -> None:
    """Refuse an SAE that cannot be read from this model, before the model runs.

    Args:
        width: of the model at a hook point.

    Raises:
        UserError: another width, or a place the model does not have.
    """
    for hook, name, found in ((sae.hook_point, "d_in", sae.d_in), (sae.hook_out, "d_out", sae.d_out)):
        if hook_names.parse(hook)[0] >= n_layers:
            raise UserError(f"{sae.source}: hook point {hook}; the model has blocks 0 to {n_layers - 1}")
        try:
            expected = width(hook)
        except UserError as error:
            raise UserError(f"{sae.source}: {error}") from None
        if found != expected:
            raise UserError(f"{sae.source}: expected {name} = {expected} (the model's width at {hook}); found {found}")


def slug_part(sae: LoadedSae) -> str:
    """`l15-resid`, `l3-mlp`, `l3-mlp-transcoder` ... from the hook point and the kind."""
    layer, kind = hook_names.parse(sae.hook_out)
    return f"l{layer}-{hook_names.SHORT[kind]}{'-transcoder' if sae.transcodes else ''}"


def slugify(text: str) -> str:
    """Lower case letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "model"


def _load_folder(path: Path, source: str, device: str, place: str | None = None) -> LoadedSae:
    from sae_lens import SAE

    layout = layout_of(path)
    _checked(describe(source, layout.name, layout.config), place)
    digest = checked_hash(layout.weights)
    stated = (layout.config.get("metadata") or {}).get("bottleneck")
    bottleneck = load_bottleneck(layout.folder, stated, layout.config["d_in"], device)
    try:
        with library_warnings(source):
            module = SAE.load_from_disk(layout.folder, device=device, dtype="float32", converter=layout.converter)
            if layout.scale is not None:
                module.fold_activation_norm_scaling_factor(layout.scale)
            _fold_lengths(module)
    except BadFile:
        raise
    except Exception as error:  # sae-lens raises many kinds
        raise BadFile(path, "an SAE that sae-lens can load", f"{type(error).__name__}: {error}") from error
    report = layout.folder / REPORT
    training = read_json(report) if report.exists() else None
    former = [] if bottleneck is not None else [digest]  # without it, the same file is another SAE
    return _loaded(module, source, former, layout.config.get("dtype"), training, bottleneck, place)


def _checked(found: Described, place: str | None) -> Described:
    """The same where it can be read; one of somebody's own network reads that `place`, of which we know no more."""
    if place is None:
        return check(found)
    check(replace(found, hook_point=hook_names.EMBED, hook_out=hook_names.EMBED))
    return replace(found, hook_point=place, hook_out=place)


def _fold_lengths(module: Any) -> None:
    """A checkpoint may hold decoder rows of any length, which sae-lens takes off at each decoding: make them 1.

    A latent then adds its activation times its decoder row; its activation stays as it is.
    """
    lengths = module.W_dec.detach().norm(dim=-1)
    if getattr(module.cfg, "rescale_acts_by_decoder_norm", False) and float((lengths - 1).abs().max()) > 1e-4:
        module.fold_W_dec_norm()


def _load_release(found: Described, device: str) -> LoadedSae:
    from sae_lens import SAE

    release, sae_id = found.source.split(":", 1)
    with _reaching(found.source), fetching(), tensors_only(), library_warnings(found.source):
        module = SAE.from_pretrained(release, sae_id, device=device, dtype="float32")
    return _loaded(module, found.source, [], "float32", None)


@contextmanager
def _reaching(source: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"--sae {source}: {error}") from error
    except Exception as error:  # sae-lens, torch and the hub's client raise many kinds
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"--sae {source}: expected a release and id of sae-lens' registry that can be reached;"
            f" found {type(error).__name__}: {first}"
        ) from error


def _loaded(
    module: Any,
    source: str,
    former: list[str],
    dtype: str | None,
    training: dict[str, Any] | None,
    bottleneck: Bottleneck | None = None,
    place: str | None = None,
) -> LoadedSae:
    module = module.eval()
    module.turn_off_forward_pass_hook_z_reshaping()  # all heads are read side by side
    details = module.cfg.to_dict()
    details.pop("device", None)
    found = _checked(describe(source, "", details), place)
    unfollowed(source, details["metadata"].get("model_from_pretrained_kwargs") or {})
    check_finite(module.state_dict().items(), source)
    bias = getattr(module, "b_dec", None)
    apart = found.architecture in SKIP or bottleneck is not None
    return LoadedSae(
        module=_WithInput(module, bottleneck) if apart else module,
        source=source,
        sha256=weights_hash(module, bottleneck),
        former=former,
        hook_point=str(found.hook_point),
        hook_out=str(found.hook_out),
        layer=0 if place is not None else hook_names.parse(str(found.hook_point))[0],
        architecture=details["architecture"],
        dtype=dtype or "float32",
        encoder=_encoder(module, bottleneck),
        decoder=module.W_dec.detach().float(),
        bias=None if bias is None else bias.detach().float(),
        details=json.loads(json.dumps(details, default=str)),
        training=training,
        bottleneck=bottleneck,
    )


def _encoder(module: Any, bottleneck: Bottleneck | None) -> Tensor | None:
    """[N, d_in]: what latents read of the input; a view, no second copy, where no bottleneck is between."""
    weights = getattr(module, "W_enc", None)
    if weights is None:
        return None
    found: Tensor = weights.detach().float().T
    return found if bottleneck is None else bottleneck.seen_by(found)
