# make run ARGS="--http --port 8080"    serve
# make test ARGS="-k whip"              every test, or some
# make setup GTX=1                      bring the GTX landmark weights as well, 40 MB
# make lint | bench | setup | pins      pins: after a change of pyproject.toml's dependencies
# make bench-quick                      what four sessions cost, under two minutes
# make bench-spoof                      what the anti-spoof net says to people and to attacks

PYTHON ?= python3.11
ifeq ($(shell sh -c "command -v $(PYTHON)"),)
PYTHON := python3
endif
BIN := .venv/bin
CI ?=
ARGS ?=
# Most tests wait for video: several files at a time. What they print is seen with TEST_PROCESSES=
TEST_PROCESSES ?= -n 2 --dist loadfile
# What the tests need from Debian, as the names of packages and of what they install.
TEST_PACKAGES := chromium nodejs npm redis-server coturn haproxy faketime systemd
TEST_COMMANDS := chromium node npm redis-server turnserver haproxy faketime systemd-analyze
POLICY := /usr/sbin/policy-rc.d

COMPILE := CUSTOM_COMPILE_COMMAND="make pins" $(BIN)/pip-compile --quiet --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: setup models run test lint bench bench-quick bench-spoof pins system-packages
.DELETE_ON_ERROR:

setup: .venv/.run .venv/.dev models

# Every file is known by its digest: what is there is not fetched again.
models: .venv/.run
	$(BIN)/python -m liveness models $(if $(GTX),--gtx)

# Stamps: only a change of the pins sets anything up anew.
.venv/.run: requirements.txt
	@echo "Setting up .venv: the packages that the server needs"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "Setting up .venv: the packages that tests and checks need"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on \
		-r requirements.txt -r requirements-dev.txt
	@touch $@

# PyTorch is large and only `liveness.train` needs it: its tests are skipped where it is missing,
# except with CI=true.
.venv/.train: requirements-train.txt .venv/.dev
	@echo "Setting up .venv: the packages that training needs"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on \
		-r requirements-train.txt -r requirements-dev.txt
	@touch $@

run: .venv/.run
	@$(BIN)/python -m liveness models || echo "Going on with what there is"
	$(BIN)/python server.py $(ARGS)

test: .venv/.dev $(if $(filter true,$(CI)),.venv/.train) models system-packages
	CI=$(CI) $(BIN)/python -m pytest $(TEST_PROCESSES) $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.dev models
	$(BIN)/python -m bench $(ARGS)

bench-quick: .venv/.dev models
	$(BIN)/python -m bench --quick $(ARGS)

bench-spoof: .venv/.dev models
	PYTHONPATH=. $(BIN)/python bench/spoof_scores.py $(ARGS)

# As root beside apt-get what is missing is installed, else it is named and its tests are skipped;
# with CI=true those tests fail instead. The policy keeps Debian from starting servers (Redis, coturn)
# as they are installed: tests start their own.
system-packages:
	@missing=""; for command in $(TEST_COMMANDS); do \
		command -v $$command >/dev/null || missing="$$missing $$command"; done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing for the tests"; \
		[ -e $(POLICY) ] || { trap 'rm -f $(POLICY)' EXIT INT TERM; \
			printf '#!/bin/sh\nexit 101\n' >$(POLICY); chmod +x $(POLICY); }; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
			--no-install-recommends $(TEST_PACKAGES) >/dev/null; \
	else \
		echo "Missing for the tests:$$missing (Debian packages: $(TEST_PACKAGES))"; \
	fi; [ "$(CI)" != true ] || for command in $(TEST_COMMANDS); do command -v $$command \
		>/dev/null || { echo "error: no $$command"; exit 1; }; done

pins: .venv/.dev
	$(COMPILE) --upgrade -o requirements.txt pyproject.toml
	@mkdir -p .cache
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb')) \
		['dependency-groups']['dev'], sep='\n')" > .cache/dev.in
	$(COMPILE) --upgrade --extra testing -c requirements.txt -o requirements-dev.txt \
		pyproject.toml .cache/dev.in
	$(COMPILE) --upgrade --extra train -c requirements.txt -o requirements-train.txt pyproject.toml
	@# The pin has to mean the same wherever PyTorch is fetched from.
	sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements-train.txt
