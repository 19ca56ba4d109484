"""What the values of a label mean, for /methods."""

from __future__ import annotations

from analysis.statistics.declaration import Statistic

_SOURCE = "ours; docs/methods.md §12"


def _label(name: str, title: str, unit: str, definition: str) -> Statistic:
    return Statistic(name, title, unit, "label", "label", definition, "O", _SOURCE)


STATISTICS: tuple[Statistic, ...] = (
    _label(
        "label_association", "Association with a label", "",
        "How a latent's signal goes with a column of the corpus. The signal is the projection of what the SAE reads "
        "on the latent's decoder direction, averaged over the ordinary counted tokens of each document in the "
        "sample (each document counts once, whatever its length). Numbers: Spearman's rank correlation. True/false: "
        "AUC. Categories: eta², the share of the variance of document means that lies between the groups; it is "
        "biased upward by the number of groups, (groups - 1) / (documents - 1) by chance, so the held-out R² stands "
        "beside it; values that only one document has are left out. Spans: AUC over the tokens of the documents "
        "that have such a list. The 95 % interval is a jackknife over documents (for Spearman with their ranks, for "
        "spans with the tokens' ranks, kept); documents by one author or in one series are not independent, and it "
        "is then too narrow.",
    ),
    _label(
        "label_conditional", "Association after words and position", "",
        "The same measure after token identity and position are taken out of the signal: each token loses the mean "
        "of its type over all other documents, times count / (count + k), where k is the variance within types over "
        "that between types, at most 1; then what a regression over all other documents on binned distance from the "
        "start of context, paragraph and sentence predicts. Leaving the document out keeps a word that occurs in "
        "one document only from explaining it away (nor can its effect be told from the document's then). What a "
        "label shares with the words of its documents goes to the words, so this is a lower end.",
    ),
    _label(
        "label_p", "p and q of an association", "",
        "p of the conditional measure, two-sided (one-sided for eta²): labels are dealt out anew to whole "
        "documents, p = (1 + draws at least as far from chance) / (1 + draws); 999 draws, and at least 9,999 where "
        "p is then at most 0.03 (40 times the number of tests where that is more, at most 99,999). Spans are moved "
        "round within their document, so that only differences within documents count. q is Benjamini-Hochberg over "
        "all latents x labels of the SAE.",
    ),
    _label(
        "label_held_out", "Held out by document", "",
        "Of the conditional signal, over five folds of documents by hash. Numbers and true/false: the measure "
        "within each fold, its direction taken from the other four, averaged over folds; shown on the side of the "
        "effect where unseen documents agree, on the other side of chance where they do not. Categories: R² of "
        "document means predicted by the other folds' group means, drawn toward their common mean by n / (n + k), "
        "against that common mean.",
    ),
    _label(
        "label_verdict", "Verdict of an association", "",
        "Yes where q < 0.05, the conditional measure's 95 % interval leaves out chance, and it holds in held-out "
        "documents, on the same side of chance; no otherwise; unmeasured with its reason (fewer than 20 documents, "
        "a signal that does not vary).",
    ),
    _label(
        "label_confounds", "Labels that go with one another", "",
        "Over the documents that have both (at least 20): |Spearman| of two numbers, |2 AUC - 1| of a number and a "
        "true/false label, eta² of ranks corrected for the number of groups, or Cramér's V corrected likewise; "
        "listed from 0.3 on. A label is also tested with the strongest of these held fixed: its groups' (a number's "
        "quintiles') means are taken out of the document means, and labels are dealt out anew only within them, "
        "1,999 draws, one test at p < 0.05 without correction. Within a quintile the other label still varies a "
        "little; gone can also mean that too few documents are left to see it.",
    ),
)  # fmt: skip
