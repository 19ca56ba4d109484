"""A process that captures until it is killed: `python -m tests.analysis.killed_capture FOLDER`."""

from __future__ import annotations

import itertools
import sys

import torch
from torch import nn

from analysis.capture import capture


def main(folder: str) -> None:
    model = nn.Sequential(nn.Identity(), nn.Identity())
    with torch.no_grad(), capture(model, ["0", "1"], folder, shard_bytes=4_000) as taken:
        for number in itertools.count():
            taken.rows(number=range(number * 7, number * 7 + 7))
            model(torch.arange(number * 7, number * 7 + 7)[:, None].expand(-1, 5).float())


if __name__ == "__main__":
    main(sys.argv[1])
