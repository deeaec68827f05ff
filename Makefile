# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The tests start hundreds of programs: compiled once, each of them starts twice as fast.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test torture lint bench lab docs lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1	/'

setup: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 ou plus récent est nécessaire (PYTHON=/chemin/python3.12 make setup)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "le module venv de Python manque : installez le paquet python3-venv" >&2; exit 2; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements/dev.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup ## run the main job: a real switch, what was lost counted, a report in PDF
	@$(BIN)/releve demo

test: setup ## everything that must hold, at most 10 minutes on two cores
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/debian-packages.sh
	@sh tests/current-restic.sh $(VENV)/restic-current
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -m "not torture" -n 4 --dist worksteal

torture: setup ## the whole matrix of crash instants
	@$(BIN)/python -m pytest -m torture

lint: setup ## ruff, mypy strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## the figures, each beside its peer, into bench/results/
	@sh tests/current-restic.sh $(VENV)/restic-current
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.vault
	@$(BIN)/python -m bench.shares
	@$(BIN)/python -m bench.database
	@$(BIN)/python -m bench.objectives
	@$(BIN)/python -m bench.audit_network
	@$(BIN)/python -m bench.audit_lab
	@$(BIN)/python -m bench.audit_data; kept=$$?; $(BIN)/python -m bench.audit_page; exit $$kept

lab: setup ## audit a laboratory of two sites into which faults were put (root, Debian)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/debian-packages.sh
	@$(BIN)/python -m lab audit

docs: setup ## write docs/reference from the code
	@$(BIN)/python -m docs.generate

lock: setup ## pin every dependency, with hashes and without addresses
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements/dev.txt

clean: ## remove .venv and everything built
	@rm -rf $(VENV) build dist releve-demo
