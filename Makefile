# One command for each thing; every one sets up what it needs first. `make` alone lists them.

# Any Python from 3.11 on: PYTHON=/path/to/python make …
PYTHON ?= python3
RUN := .venv/bin/python -m
TEST_OPTIONS ?=
# One more than there are cores, because many tests wait for processes of theirs; four at most.
TEST_PROCESSES ?= $(shell getconf _NPROCESSORS_ONLN | awk '{print ($$1 < 3) ? $$1 + 1 : 4}')
# Which faults; all where none is named.
FAULTS ?=
# Options and files of `python -m tests.busy`, such as --rounds 20 tests/e2e/cli/test_supervisor.py
BUSY ?=
# Options of `schemathesis run`, such as --max-examples 300 --seed 1.
FUZZ ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore
export PIP_NO_INPUT = 1

.DEFAULT_GOAL := help
.PHONY: help demo up test test-busy check lint types migrations reference readme contracts docs newest browser screenshots faults fuzz bench \
	walkthrough audit digests lock clean .venv

help: ## List these commands
	@sed -n 's/^\([.a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: .venv ## Reprice sample stock on servers of its own, show the result, stop everything
	@.venv/bin/flexiprice demo

up: .venv ## Serve the API on port 8000, with worker and servers, until Ctrl-C
	@.venv/bin/flexiprice up

test: .venv ## Run all tests, on real servers of their own
	@$(RUN) pytest -q -n $(TEST_PROCESSES) --dist loadgroup $(TEST_OPTIONS)

test-busy: .venv ## Run the tests that wait for programs again and again while all cores are kept busy
	@$(RUN) tests.busy $(BUSY)

check: lint types migrations ## Everything that must hold before a commit: style, types, imports, tables, tests
	@$(MAKE) --no-print-directory test TEST_OPTIONS='-m "not readme and not contracts"'

readme: .venv ## Run every shell block of README and manual as printed
	@$(RUN) pytest -q -m readme $(TEST_OPTIONS) tests/e2e/docs/test_shell_blocks.py

lint: .venv
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@.venv/bin/lint-imports

# Side by side: each uses one core.
types: .venv
	@$(RUN) mypy & mypy=$$!; status=0; $(RUN) pyright || status=$$?; wait $$mypy || status=$$?; exit $$status

migrations: .venv
	@$(RUN) tests.alembic_check

reference: .venv ## Write the manual's pages of settings, commands and metrics anew from the code
	@$(RUN) tests.docs.reference

newest: .venv ## Run all tests with the newest redis-py, which arq does not allow yet, and say what breaks
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
		$(RUN) pip install -q --no-deps --target "$$scratch" redis && export PYTHONPATH="$$scratch" && \
		.venv/bin/python -c 'import redis; print("redis-py", redis.__version__)' && \
		$(RUN) pytest -q -n $(TEST_PROCESSES) --dist loadgroup -m "not readme and not contracts and not locked" $(TEST_OPTIONS)

contracts: .venv .contracts/complete tests/npm/node_modules/.package-lock.json ## Try it with programs of others: generated clients, promtool, nginx
	@$(RUN) pytest -q -m contracts tests/contracts $(TEST_OPTIONS)

docs: .venv .docs/complete ## Build the manual as a site in .site/, and see that no link in it is broken
	@PYTHONPATH=.docs:. NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict -f .github/mkdocs.yml

browser: .venv tests/npm/node_modules/.package-lock.json ## Open every page of the monitor in Debian's Chromium, on real processes; needs Node.js
	@$(RUN) pytest -q tests/browser $(TEST_OPTIONS)

screenshots: .venv ## Take the manual's pictures of the monitor anew
	@$(RUN) tests.browser.screenshots

faults: .venv ## Kill, stop and freeze workers and servers at work, and show what each fault came to
	@$(RUN) tests.chaos $(FAULTS)

fuzz: .venv ## Send the API thousands of requests made of its own description, and see none of it break
	@$(RUN) tests.fuzz $(FUZZ)

bench: .venv ## Measure the database's work, latency, overhead and the API under load against their floors
	@$(RUN) tests.bench
	@$(RUN) tests.bench.overhead
	@$(RUN) tests.bench.api_load
	@$(RUN) tests.bench.shards --shards-from 50000

walkthrough: .venv ## Follow the manual in real containers and on an empty Debian with systemd; needs root and Docker
	@$(RUN) tests.install

digests: ## Print the images of docker/.env by their digests, to be pasted there; needs Docker and the network
	@sed -n 's/^#\([A-Z]*_IMAGE\)=\([a-z].*:.*\)/\1 \2/p' docker/env.example | grep -v '^FLEXIPRICE_' | \
		while read -r name image; do \
			docker pull --quiet "$$image" >/dev/null </dev/null && \
			printf '%s=%s\n' "$$name" "$$(docker image inspect --format '{{index .RepoDigests 0}}' "$$image")"; done

audit: .venv ## Ask PyPI whether a locked dependency has a known weakness; needs the network
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
		$(RUN) pip install -q --target "$$scratch" pip-audit && \
		PYTHONPATH="$$scratch" $(RUN) pip_audit --require-hashes --disable-pip -r requirements.lock

lock: .venv ## Choose the newest dependencies anew and write the locks
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
		$(RUN) pip install -q --target "$$scratch" uv && \
		"$$scratch/bin/uv" pip compile -q --universal --upgrade --generate-hashes --python-version 3.11 \
			--extra embedded --extra monitor --extra otel --group dev --no-emit-index-url --no-emit-find-links \
			pyproject.toml -o requirements.lock && \
		"$$scratch/bin/uv" pip compile -q --universal --generate-hashes --python-version 3.11 --extra monitor --extra otel \
			--constraint requirements.lock --no-annotate --no-emit-index-url --no-emit-find-links \
			pyproject.toml -o docker/requirements.lock && \
		echo hatchling | "$$scratch/bin/uv" pip compile -q --universal --generate-hashes --python-version 3.11 \
			--constraint requirements.lock --no-emit-index-url --no-emit-find-links - -o docker/build.lock

# The generator of Python clients, apart from what FlexiPrice itself needs.
.contracts/complete: tests/contracts/requirements.lock
	@rm -rf .contracts
	@$(RUN) pip install -q --require-hashes --target .contracts -r tests/contracts/requirements.lock
	@touch .contracts/complete

# The builder of the site, which FlexiPrice does without.
.docs/complete: tests/docs/requirements.lock
	@rm -rf .docs
	@$(RUN) pip install -q --require-hashes --target .docs -r tests/docs/requirements.lock
	@touch .docs/complete

tests/npm/node_modules/.package-lock.json: tests/npm/package-lock.json tests/npm/.npmrc
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js (Debian: nodejs and npm)' >&2; exit 1; }
	@cd tests/npm && npm ci --silent
	@touch tests/npm/node_modules/.package-lock.json

clean: ## Remove the set-up and all caches; the data under .flexiprice/ stays
	@rm -rf .venv .contracts .docs .site tests/npm/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find flexiprice workers api tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: .venv/complete ## Set up: a virtual environment with the locked dependencies and FlexiPrice

# The stamp is written last, so an interrupted set-up is taken up again.
.venv/complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'FlexiPrice needs Python 3.11 or later: PYTHON=/path/to/python3.11 make …' >&2; exit 1; }
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || { \
		echo 'Making .venv …'; rm -rf .venv; \
		$(PYTHON) -m venv .venv >/dev/null 2>&1 || { \
			: 'Debian without python3-venv: virtualenv brings the pip that ensurepip would'; \
			rm -rf .venv; scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
			$(PYTHON) -m pip install -q --target "$$scratch" virtualenv && \
			PYTHONPATH="$$scratch" $(PYTHON) -m virtualenv -q .venv; }; }
	@echo 'Installing the locked dependencies …'
	@$(RUN) pip install -q --require-hashes -r requirements.lock
	@$(RUN) pip install -q --no-deps --no-build-isolation -e .
	@touch .venv/complete
