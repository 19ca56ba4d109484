"""Keep, investigate or prune, by rule, always with the measurements that made it and those that are missing.

Takes no torch, so that a store can be judged where there is none; `STATISTICS` are in `verdict.statistics`, which does.
"""

from analysis.verdict.judge import judge_all, judge_analysis, judgements, mark_judged
from analysis.verdict.measured import Change, ClassFound, Found, LabelFound, Measured
from analysis.verdict.rule import Decision, decide

__all__ = [
    "Change",
    "ClassFound",
    "Decision",
    "Found",
    "LabelFound",
    "Measured",
    "decide",
    "judge_all",
    "judge_analysis",
    "judgements",
    "mark_judged",
]
