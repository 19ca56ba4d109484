"""The tables. The worker writes all but what people write (`team`); the server reads all and writes that.

Who is who: an `Sae` is its weights (SHA-256). A `Run` is one reading of one corpus through one
model. An `Analysis` is one SAE in one run, and owns the latents, pairs, profiles and examples. An
`Intervention` changes something inside the model for the latents of one analysis; an `Experiment`
trains SAEs anew.
"""

from store.tables.base import Base
from store.tables.classes import Association, Chain, Label, Score, Traces
from store.tables.designs import Design, DesignComparison
from store.tables.interventions import Arm, Effect, Experiment, Intervention, Stability, Steering, Verdict
from store.tables.latents import DENSE, Example, Latent, Pair, Profile
from store.tables.runs import Analysis, Corpus, FormerIdentity, Model, Run, Sae, Statistic
from store.tables.search import LatentToken, SearchText, Token
from store.tables.team import Annotation, Category, SavedView

__all__ = [
    "DENSE",
    "Analysis",
    "Annotation",
    "Arm",
    "Association",
    "Base",
    "Category",
    "Chain",
    "Corpus",
    "Design",
    "DesignComparison",
    "Effect",
    "Example",
    "Experiment",
    "FormerIdentity",
    "Intervention",
    "Label",
    "Latent",
    "LatentToken",
    "Model",
    "Pair",
    "Profile",
    "Run",
    "Sae",
    "SavedView",
    "Score",
    "SearchText",
    "Stability",
    "Statistic",
    "Steering",
    "Token",
    "Traces",
    "Verdict",
]
