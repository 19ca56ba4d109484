"""A model in which steering along one direction makes one kind of text likelier, and along another does nothing.

Letters are of two kinds, a to m and n to z, and of two cases. What the model holds of a token is its embedding,
which says both, each along a direction of its own; its unembedding knows the kind alone. Attention and MLPs add
nothing. So a push along `KIND` makes letters of one kind likelier, and one along `CASE` none.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaForCausalLM
from transformers.models.llama import LlamaConfig

from analysis.config import AnalyzeConfig
from analysis.interventions.steer.pool import Pool
from analysis.reading.model import LanguageModel
from analysis.run.analyze import analyze
from store.session import make_engine, session_factory, sqlite_module
from store.tables import Score
from tests.analysis.tiny_models import BOS, EOS, PAD, VOCAB, tiny_tokenizer
from tests.planted import sae_folder

D = 128
HOOK = "blocks.0.hook_resid_post"
KIND, CASE = torch.eye(D)[0], torch.eye(D)[1]
SAYS = 0.35  # how much the unembedding makes of the kind


def kinds() -> tuple[Tensor, Tensor]:
    """[VOCAB] each, -1, 0 or 1: kind and case of every token's letters."""
    words = tiny_tokenizer().convert_ids_to_tokens(list(range(VOCAB)))
    kind, case = torch.zeros(VOCAB), torch.zeros(VOCAB)
    for token, word in enumerate(words):
        letters = word.lstrip("Ġ")
        if token <= EOS or not (letters.isascii() and letters.isalpha()):
            continue
        kind[token] = _common([1 if letter.lower() <= "m" else -1 for letter in letters])
        case[token] = _common([1 if letter.isupper() else -1 for letter in letters])
    return kind, case


def _common(signs: list[int]) -> int:
    return signs[0] if len(set(signs)) == 1 else 0


def planted_model(seed: int = 0) -> LlamaForCausalLM:
    """Two blocks that add nothing, between an embedding and an unembedding that are planted."""
    config = LlamaConfig(
        vocab_size=VOCAB, hidden_size=D, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    draw = torch.Generator().manual_seed(seed)
    kind, case = kinds()
    entry, end = (torch.randn(VOCAB, D, generator=draw) for _ in range(2))
    entry[:, :2], end[:, :2] = 0, 0
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(entry * 0.2 + kind[:, None] * KIND + case[:, None] * CASE)
        model.lm_head.weight.copy_(end * 0.1 + SAYS * kind[:, None] * KIND)
    return model


def planted_language_model(seed: int = 0) -> LanguageModel:
    """The same, without files."""
    return LanguageModel(planted_model(seed), tiny_tokenizer(), name="planted", source="test", fingerprint="00")


def text(draw: random.Random, letters: int) -> str:
    """Stretches of one kind, and, at other places, of one case; somewhat more of a to m, and of capitals."""
    kind, case = draw.random() < 0.5, draw.random() < 0.5
    made: list[str] = []
    while len(made) < letters:
        if draw.random() < (1 / 30 if kind else 1 / 18):
            kind = not kind
        if draw.random() < (1 / 25 if case else 1 / 23):
            case = not case
        letter = draw.choice("abcdefghijklm" if kind else "nopqrstuvwxyz")
        made.append(letter.upper() if case else letter)
        if draw.random() < 0.2:
            made.append(" ")
    return "".join(made)


def planted_pool(seed: int, contexts: int = 48, pieces: int = 10, length: int = 12) -> Pool:
    """Texts as `read_pool` would give them; signal 0 is the kind, signal 1 the case."""
    draw = random.Random(seed)
    tokenizer, need = tiny_tokenizer(), pieces * length
    ids = [tokenizer(text(draw, 2 * need), add_special_tokens=False)["input_ids"][:need] for _ in range(contexts)]
    token = torch.tensor(ids).view(contexts, pieces, length)
    values = torch.stack([part[token] for part in kinds()], -1)
    whole = torch.ones(contexts, pieces, dtype=torch.bool)
    sd = values.flatten(0, 2).double().std(0)
    return Pool(token, whole, values.mean(2), torch.arange(contexts), sd, [BOS], contexts, [])


@dataclass(frozen=True)
class Store:
    """An analysed SAE of the planted model: latents 0 and 1 are the kind, 2 and 3 the case; 4 to 11 are sparse."""

    db: Path
    folder: Path

    def copy(self, to: Path) -> str:
        """The database, whatever is still in its write-ahead log."""
        source, target = (sqlite_module().connect(str(path)) for path in (self.db, to))
        source.backup(target)
        source.close()
        target.close()
        return str(to)


def planted_store(folder: Path) -> Store:
    """Model, SAE and texts on disk, analysed; every latent with detail is a candidate of context binding."""
    planted_model().save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    draw = torch.Generator().manual_seed(1)
    sparse = torch.nn.functional.normalize(torch.randn(8, D, generator=draw), dim=1)
    rows = torch.cat([torch.stack([KIND, -KIND, CASE, -CASE]), sparse])
    bias = torch.cat([torch.full((4,), -0.3), torch.full((8,), -0.75)])
    sae = sae_folder(folder / "sae", rows, rows, bias, hook=HOOK)
    letters = random.Random(2)
    lines = [json.dumps({"text": text(letters, letters.randint(300, 700))}) for _ in range(72)]
    (folder / "texts.jsonl").write_text("\n".join(lines))
    db = folder / "run.db"
    config = AnalyzeConfig(
        model=str(folder / "model"), saes=[str(sae)], corpus=str(folder / "texts.jsonl"), tokens=3000, db=str(db),
        context=128, pilot_tokens=1500, dtype="float32", classes=False,
    )  # fmt: skip
    from rich.console import Console

    analyze(config, Console(quiet=True))
    _add_scores(db)
    return Store(db, folder)


SIX = ("position", "context_binding", "null_space", "alphabet", "content_word", "principal_component")
BOUND = {"code": "bound", "within": 0.8, "across": 0.5, "run": 20.0, "shuffled": 2.0}


def _add_scores(db: Path) -> None:
    with session_factory(make_engine(db))() as session, session.begin():
        for index in range(4):
            for name in (*SIX, "unexplained"):
                likely = name == "context_binding"
                session.add(
                    Score(
                        analysis_id=1, index=index, name=name, label="likely" if likely else "no",
                        statement=BOUND if likely else {"code": "text", "text": f"No {name}."},
                        data={"half_life": 40.0} if likely else {},
                    )
                )  # fmt: skip
