# Every target sets itself up in .venv; nothing outside this folder and the user's cache folder is touched.
PYTHON ?= python3
TOKENS ?= 60000
DB ?= demo.db
PORT ?= 8000
JOBS ?= 2
BIN := .venv/bin

.PHONY: help setup demo demo-field serve test test-long check bench beside clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: .venv/analysis  ## install the server and the worker in .venv

demo: .venv/analysis  ## analyse the shipped SAEs of a real model, then serve the pages
	$(BIN)/dense-latents demo --tokens $(TOKENS) --db $(DB) --port $(PORT)

demo-field: .venv/analysis  ## train a small network on a watch's sensors, look at its units, then serve the pages
	$(BIN)/dense-latents demo-field

serve: .venv/server  ## serve what is in DB (needs no torch)
	$(BIN)/dense-latents serve --db $(DB) --port $(PORT)

test: .venv/dev .venv/browser .venv/postgres  ## all tests but the long ones
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

test-long: .venv/dev .venv/browser .venv/postgres  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile -m 'long or not long'

check: .venv/dev  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

messages: .venv/dev  ## bring the catalogues of other languages up to date
	.venv/bin/python -m tests.messages

bench: .venv/analysis  ## what the analysis costs over the bare loop
	$(BIN)/dense-latents bench

beside: .venv/dev  ## SAEDashboard beside us, in an environment of its own (several GB)
	$(BIN)/python -m tests.beside_saedashboard --venv .venv/saedashboard

clean:  ## remove .venv
	rm -rf .venv

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "expected Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/server: .venv/made pyproject.toml constraints.txt
	@$(BIN)/pip install -qq -c constraints.txt -e .
	@touch $@

# torch goes first and by its exact version: a looser request may take a CUDA build of several GB
.venv/analysis: .venv/made pyproject.toml constraints.txt
	@echo "installing in .venv (a minute or two)"
	@$(BIN)/pip install -qq torch==2.13.0
	@$(BIN)/pip install -qq -c constraints.txt -e '.[analysis]'
	@touch $@ .venv/server

.venv/dev: .venv/analysis
	@$(BIN)/pip install -qq -c constraints.txt -e '.[dev]'
	@touch $@

.venv/browser: tests/find-browser.sh
	sh tests/find-browser.sh
	@touch $@

.venv/postgres: tests/find-postgres.sh
	sh tests/find-postgres.sh
	@touch $@
