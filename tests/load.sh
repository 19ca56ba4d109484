#!/bin/sh
# How fast latent pages come, beside a plain page of the same size on the same server: see tests/load.py.
#   sh tests/load.sh demo.db [--seconds 10] [--readers 1,4,16] [--processes 1,2]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
exec "${PYTHON:-.venv/bin/python}" -m tests.load "$@"
