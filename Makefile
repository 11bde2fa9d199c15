# `make` lists the targets. They need python3, a JDK 17 and Maven; the rest they bring.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

STACK_HOME ?= $(CURDIR)/.local
UV_VERSION := 0.13.9
UV := .venv/uv/bin/uv
PYTHON := .venv/airflow/bin/python
STACK := PYTHONPATH=include .venv/local/bin/python -m local
VENVS := airflow dbt spark local

# A virtual environment that happens to be active, or a PYTHONPATH of the user's, is none of ours.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
export TESTENV_HOME := $(STACK_HOME)

.PHONY: help install installed up down status logs production demo check format test test-long test-unit faults fidelity bench-provision bench-validate bench-refresh bench-mask bench-synth bench-diff bench-replay lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

install: ## bring everything that is needed
	@$(MAKE) --no-print-directory -j4 installed

installed: $(VENVS:%=.venv/.%.installed) .venv/.jars.installed .venv/.pgbouncer.installed manifest

$(UV):
	@echo "install: uv $(UV_VERSION)"
	python3 -m venv .venv/uv
	.venv/uv/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

# uv warns when its cache is on another file system, and copies, which is right: -q.
LOCK_airflow := requirements/dev.txt
LOCK_dbt := requirements/dbt.txt
LOCK_spark := requirements/spark.txt
LOCK_local := requirements/local.txt
LOCK_dbt-tests := requirements/dbt-tests.txt
LOCK_bench := requirements/bench.txt
.SECONDEXPANSION:
$(VENVS:%=.venv/.%.installed) .venv/.dbt-tests.installed .venv/.bench.installed: .venv/.%.installed: $$(LOCK_$$*) | $(UV)
	@echo "install: .venv/$* from $<"
	[[ -x .venv/$*/bin/python ]] || $(UV) venv -q --python 3.11 .venv/$*
	$(UV) pip sync -q --compile-bytecode --python .venv/$*/bin/python $<
	touch $@

.venv/.jars.installed: include/local/kafka/pom.xml include/local/spark/pom.xml $(wildcard include/local/spark/src/*.java) | .venv/.local.installed .venv/.spark.installed
	@echo "install: jars of Kafka and Spark"
	PYTHONPATH=include .venv/local/bin/python -m local.jars > /dev/null
	echo "install: Spark's class archive, which halves the start of a job"
	PYTHONPATH=include .venv/local/bin/python -m local.aws.class_archive > /dev/null
	touch $@

# provision_env is drawn from dbt's manifest; whether it is current takes 0.1 s to find out.
.PHONY: manifest
manifest: .venv/.airflow.installed .venv/.dbt.installed
	@PYTHONPATH=include:plugins $(PYTHON) -m testenv_airflow.manifest

# Optional: without it Airflow connects to PostgreSQL directly, and `make status` says so.
.venv/.pgbouncer.installed:
	@mkdir -p .venv
	if PATH="$$PATH:/usr/sbin" command -v pgbouncer > /dev/null; then
		:
	elif [[ $$(id -u) == 0 ]] && command -v apt-get > /dev/null; then
		echo "install: pgbouncer"
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer) \
			> .venv/pgbouncer.log 2>&1 || echo "install: pgbouncer could not be installed; going on without (.venv/pgbouncer.log)"
	fi
	touch $@

up: install ## start the embedded stack; harmless when it runs
	@$(STACK) up

down: ## stop it
	@[[ ! -x .venv/local/bin/python ]] || $(STACK) down

status: install ## how each part is
	@$(STACK) status

logs: install ## follow the logs (PARTS="kafka aws" for some)
	@$(STACK) logs --follow $(PARTS)

production: up ## fill "production" with its fake data
	@set -a
	source "$(STACK_HOME)/stack.env"
	source "$(STACK_HOME)/production.env"
	PYTHONPATH=include $(PYTHON) -m estate.production fill

demo: install ## from nothing to two environments, and back; writes .local/demo.json
	@PYTHONPATH=include:plugins $(PYTHON) -m local.demo

check: .venv/.airflow.installed ## lint, format, types, import arrows
	@.venv/airflow/bin/ruff check
	.venv/airflow/bin/ruff format --check
	.venv/airflow/bin/mypy

format: .venv/.airflow.installed ## let ruff mend what it can
	@.venv/airflow/bin/ruff check --fix
	.venv/airflow/bin/ruff format

# Two processes with a stack each, as one alone leaves half of two cores idle. Unit tests go where they make both last alike.
test: install .venv/.dbt-tests.installed ## the tests of every change, on stacks of their own; writes junit-*.xml
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=line test-parts test-whole

.PHONY: test-parts test-whole
test-parts:
	@$(PYTHON) -m pytest -m "not long" --junitxml=junit-parts.xml tests/integration tests/isolation

test-whole:
	@$(PYTHON) -m pytest -m "not long" --junitxml=junit-whole.xml tests/unit tests/e2e tests/crash tests/faults

test-long: install .venv/.dbt-tests.installed ## those that take minutes each
	@$(PYTHON) -m pytest -m long --junitxml=junit-long.xml tests

faults: install ## a real verdict on every planted fault and harmless change (CASES="a b" for some); takes hours
	@TESTENV_FAULTS="$(or $(CASES),all)" $(PYTHON) -m pytest --junitxml=junit-faults.xml tests/faults

test-unit: .venv/.airflow.installed ## the tests that need no service
	@$(PYTHON) -m pytest tests/unit

fidelity: install .venv/.dbt-tests.installed ## dbt's own suites against the local Snowflake; writes docs/fidelity.md
	@PYTHONPATH=include $(PYTHON) -m tests.adapter.fidelity

bench-provision: up ## seconds from REST call to READY; writes bench/results/provision.json
	@set -a
	source "$(STACK_HOME)/stack.env"
	PYTHONPATH=include:plugins $(PYTHON) -m bench.provision

bench-validate: up ## seconds to a verdict, alone and thirty at once; writes bench/results/validate.json
	@set -a
	source "$(STACK_HOME)/stack.env"
	PYTHONPATH=include:plugins $(PYTHON) -m bench.validate

bench-refresh: production ## seconds of a nightly refresh, and of seeding from it; writes bench/results/refresh.json
	@set -a
	source "$(STACK_HOME)/stack.env"
	PYTHONPATH=include:plugins $(PYTHON) bench/refresh.py

bench-mask: install .venv/.bench.installed ## what masking and the leak scan cost beside a rewrite; writes bench/results/mask.json
	@PYTHONPATH=include $(PYTHON) bench/mask.py
	PYTHONPATH=include $(PYTHON) bench/leak_scan.py

bench-synth: install ## rows a second that synthesis makes; writes bench/results/synth.json
	@PYTHONPATH=include $(PYTHON) bench/synth.py

bench-diff: install .venv/.bench.installed ## diff and fingerprint beside reladiff and a full scan; writes bench/results/diff.json
	@PYTHONPATH=include $(PYTHON) bench/diff.py

bench-replay: up ## records a second that replay writes beside Kafka's own tool; writes bench/results/replay.json
	@set -a
	source "$(STACK_HOME)/stack.env"
	PYTHONPATH=include $(PYTHON) bench/replay.py

lock: $(UV) ## recompile the requirement files
	@compile="$(UV) pip compile -q --upgrade --no-header --no-emit-index-url --python-version 3.11"
	$$compile requirements/airflow.in -o requirements.txt
	$$compile requirements/dev.in -c requirements.txt -o requirements/dev.txt
	for name in dbt dbt-tests spark local bench; do $$compile requirements/$$name.in -o requirements/$$name.txt; done

clean: down ## remove the stack's data, the environments, the caches
	@rm -rf "$(STACK_HOME)" .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis junit*.xml
