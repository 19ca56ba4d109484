"""What a job would import, and read of its dictionary, on the way: done once, in the process that jobs are forked from
(`tests.analysis.run.jobs`). Four seconds of the processor each."""

from __future__ import annotations

import sae_lens

from analysis.reading.taggers import PatternTagger

__all__ = ["sae_lens"]

PatternTagger().tag(["warm"])
