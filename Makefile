# Annotated Shadowsocks. `make` alone lists what can be done.
#
# Each command builds the environment it needs, once, from the hash-pinned requirements; a stamp
# in the environment says from which lock file it was built, and a newer lock file builds it again.
# The project itself is not installed: src is on the path, and no build backend is needed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# A version chosen by hand (make test PYTHON=python3.13) has an environment of its own.
VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

PYTEST := $(BIN)/python -m pytest
SPHINX := $(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going -d docs/_build/doctrees
UV := $(firstword $(wildcard $(BIN)/uv) uv)

# A command that starts another Python must find the tree in it too.
export PYTHONPATH := $(CURDIR)/src

.PHONY: help demo test check docs interop fuzz bench lock clean

help:  ## List the commands
	@sed -n 's/^\([a-z]*\):.*##/\1/p' $(MAKEFILE_LIST) | awk '{ c = $$1; $$1 = ""; printf "make %-8s%s\n", c, $$0 }'

demo: $(VENV)/run.stamp  ## Relay real traffic over loopback, client to server; KEEP=1 stays up
	@$(BIN)/python -m annotated_shadowsocks ssservice demo $(if $(filter-out 0,$(KEEP)),--keep)

test: $(VENV)/test.stamp  ## All tests that need neither root nor another program; ARGS="-k name"
	@$(PYTEST) -n auto -m "not interop and not root" $(ARGS)

check: $(VENV)/develop.stamp  ## Format, lint, types, floors, repository, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) -q tests/repo
	@$(MAKE) docs

docs: $(VENV)/develop.stamp  ## Build the book in docs/_build/html and run what its pages say
	$(SPHINX) --fresh-env -q -b html docs docs/_build/html
	$(SPHINX) -q -b doctest docs docs/_build/doctest

interop: $(VENV)/test.stamp peers  ## Tests against real peers, and against the kernel where we are root
	@$(PYTEST) -m "interop or root" $(ARGS)

peers: $(VENV)/test.stamp  ## Install the other programs that we are tested against, each once; NAMES="sing-box"
	@$(BIN)/python -m peers $(NAMES)

fuzz: $(VENV)/fuzz.stamp  ## Give every parser what libFuzzer can think of; SECONDS=30 each, ARGS="TARGET"
	@$(BIN)/python -m fuzz --seconds $(or $(SECONDS),30) $(ARGS)

bench: $(VENV)/test.stamp  ## Measure side by side with the peers that are installed; NAME=replay_store
	@$(BIN)/python -m bench$(if $(NAME),.$(NAME)) $(ARGS)

# The files agree with each other because the largest constrains the rest. They name no
# index: whoever installs from them decides where from, and the hashes decide what.
LOCK = $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --custom-compile-command "make lock" --quiet $(if $(UPGRADE),--upgrade)

lock:  ## Resolve requirements/*.txt anew (needs uv); UPGRADE=1 takes the newest versions
	$(LOCK) --group test --group check --group docs pyproject.toml -o requirements/develop.txt
	$(LOCK) -c requirements/develop.txt --group test pyproject.toml -o requirements/test.txt
	$(LOCK) -c requirements/develop.txt --group test --group fuzz pyproject.toml -o requirements/fuzz.txt
	$(LOCK) -c requirements/develop.txt pyproject.toml -o requirements/run.txt

clean:  ## Remove environments, caches and built files
	rm -rf .venv .venv-* dist build docs/_build .cache .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose interpreter was removed is built again, so its stamps must not stand.
$(shell test -x $(BIN)/python || rm -f $(VENV)/*.stamp)

$(VENV)/%.stamp: requirements/%.txt | $(BIN)/python
	@echo "$(VENV): installing $<"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# A name on PATH may be a shim for a version that is not there, so each candidate is asked.
$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	done; \
	[ -n "$$python" ] || { \
	    echo "Python 3.11 or newer is needed, and none of these is: $(CANDIDATES)." >&2; \
	    echo "Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }; \
	$$python -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$$python cannot make virtual environments: its venv or ensurepip module is missing." >&2; \
	    echo "On Debian and Ubuntu: apt install python3-venv. Or name another: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 1; }; \
	echo "$(VENV): a new environment with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
