# Every target sets up what it needs in .venv; nothing is installed twice while these files stay the same.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# One name for pips before 25.3, one for those after: what is built from source is built with pinned tools too.
export PIP_CONSTRAINT = $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT = $(CURDIR)/constraints.txt

.PHONY: help demo test lint quality bench
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s%s\n", $$1, $$2}' Makefile

demo: $(READY)  ## train, evaluate, export and serve on embedded data (TASK=classification)
	@$(BIN)/saccade demo $(TASK)

test: $(READY)  ## the tests; ARGS="-k wheel" or a path chooses some
	@$(BIN)/pytest --numprocesses=auto --dist=loadfile --durations=15 $(ARGS)

lint: $(READY)  ## style, names, types and the arrows between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/basedpyright

quality: $(READY)  ## slow checks: metrics that training must reach, an installation from the registry
	@$(BIN)/pytest -m quality --durations=15 $(ARGS)

bench: $(READY)  ## every benchmark, one after the other
	@for file in $(sort $(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# Debian's python3 comes without ensurepip, which a virtual environment needs.
$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c "import ensurepip" 2>/dev/null || \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	    then apt-get update -qq && apt-get install -qq -y python3-venv; \
	    else echo "first: sudo apt-get install python3-venv" >&2; exit 1; fi
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@echo "installing into .venv (about two minutes the first time)"
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@
