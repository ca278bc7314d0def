# SIMDES. `make` alone prints this help. Nothing here needs root.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV   := .venv
PYTHON := $(VENV)/bin/python
UV     := .tools/uv/bin/uv
export UV_PYTHON_DOWNLOADS := never
# Images for containers often set it; then every start of Python compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
# A Python that every dependency has a wheel for (pyrevm stops at 3.12).
HOST_PYTHON := $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3,11) <= sys.version_info[:2] < (3,13))' 2>/dev/null && { command -v $$p; break; }; done)

.PHONY: help
help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "; print "SIMDES: make TARGET\n"} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@test -n "$(HOST_PYTHON)" || { echo "SIMDES needs Python 3.11 or 3.12 on the PATH."; exit 1; }
	@$(HOST_PYTHON) -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check 'uv==0.13.9'

$(VENV)/.runtime: $(UV) requirements.txt pyproject.toml
	@test -x $(PYTHON) || $(UV) venv --quiet --python "$(HOST_PYTHON)" $(VENV)
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r requirements.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.txt
	@$(UV) pip sync --quiet --python $(PYTHON) --require-hashes requirements-dev.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: demo
demo: $(VENV)/.runtime ## One record, end to end, on shipped sample messages, narrated (Python alone)
	@$(VENV)/bin/simdes demo $(if $(SERVE),--serve)

.PHONY: setup
setup: $(VENV)/.development node_modules/.package-lock.json ## Install what developing and testing need

.PHONY: chromium
chromium:
	@test -n "$$SIMDES_CHROMIUM" || command -v chromium-headless-shell chromium chromium-browser google-chrome-stable google-chrome >/dev/null || { \
		echo "The pages are tested in a real Chromium and none is here. Install it (Debian, Ubuntu:" >&2; \
		echo "apt-get install chromium-headless-shell, or chromium) or name one in SIMDES_CHROMIUM." >&2; exit 1; }

# Real IPFS nodes and a proxy that spoils connections; the version is that of the go.mod.
KUBO      := .tools/kubo/$(shell awk '$$1 == "github.com/ipfs/kubo" {print $$2}' tools/kubo/go.mod)/ipfs
TOXIPROXY := .tools/toxiproxy/$(shell awk '$$1 == "github.com/Shopify/toxiproxy/v2" {print $$2}' tools/toxiproxy/go.mod)/toxiproxy-server

.PHONY: kubo
kubo: $(KUBO) $(TOXIPROXY) ## Build the IPFS node that tests run, and toxiproxy (needs Go; minutes, once)

$(KUBO): | tools/kubo/go.mod tools/kubo/go.sum
	@tools/go_program.sh tools/kubo github.com/ipfs/kubo/cmd/ipfs $@

$(TOXIPROXY): | tools/toxiproxy/go.mod tools/toxiproxy/go.sum
	@tools/go_program.sh tools/toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server $@

# Another Ethereum node than anvil, for the ledger's suites; a library of its own reaches into Go.
GETH := .tools/geth/geth

.PHONY: geth
geth: $(GETH) ## Build go-ethereum, on which the ledger's suites run too (needs Go; minutes, once)

$(GETH): | tools/geth/go.mod tools/geth/go.sum
	@GO_LDFLAGS=-checklinkname=0 tools/go_program.sh tools/geth github.com/ethereum/go-ethereum/cmd/geth $@

# Without Go the tests on real nodes are left out, and that is said; CI may not leave them out.
.PHONY: nodes
nodes:
	@$(MAKE) --no-print-directory kubo || { test "$$CI" != true && \
		echo "So the tests that run real IPFS nodes are left out (make kubo; docs/storage.md)." >&2; }

.PHONY: test
test: chromium setup lint nodes ## Everything CI checks: style, types, import rules, contracts, unit, adapters, journeys, faults
	@tools/in_memory.sh $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 8

.PHONY: lint
lint: $(VENV)/.development ## Style, types, import rules
	@$(VENV)/bin/ruff check --quiet src tests bench tools
	@$(VENV)/bin/ruff format --check --quiet src tests bench tools
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache >/dev/null || $(VENV)/bin/lint-imports --no-cache

.PHONY: journeys
journeys: setup ## The paper's journeys as tests; on what SIMDES_LEDGER_URL and SIMDES_IPFS_URL name
	@$(PYTHON) -m pytest -q tests/journeys

.PHONY: up
up: $(VENV)/.runtime ## Several organisations as separate programs on this machine, until Ctrl-C (docs/guide.md)
	@$(PYTHON) tools/up.py $(UP)

.PHONY: plain-node
plain-node: setup ## The ledger's suites and the journeys on a node that looks like a stranger's Besu
	@$(PYTHON) tests/support/plain_node.py -- $(PYTHON) -m pytest -q tests/adapters -k "ledger and node"
	@$(PYTHON) tests/support/plain_node.py -- $(PYTHON) -m pytest -q -n 2 --dist loadfile tests/journeys

.PHONY: ipfs-journeys
ipfs-journeys: setup kubo ## The journeys on a real IPFS node of their own
	@$(PYTHON) tests/support/ipfs_node.py -- $(PYTHON) -m pytest -q tests/journeys

.PHONY: validator
validator: tools/validator/target/validator-1.jar ## Build the harness around HL7's own validator (needs Java 17 and Maven)

tools/validator/target/validator-1.jar: tools/validator/pom.xml tools/validator/src/main/java/Validate.java
	@mvn -q -B -f tools/validator/pom.xml package
	@touch $@

.PHONY: hapi-client
hapi-client: tools/hapi_client/target/hapi-client-1.jar ## Build the test around the HAPI FHIR client (needs Java 17 and Maven)

tools/hapi_client/target/hapi-client-1.jar: tools/hapi_client/pom.xml tools/hapi_client/src/main/java/Client.java
	@mvn -q -B -f tools/hapi_client/pom.xml package
	@touch $@

# Prometheus's own parser of rules, for the alerts.
PROMRULES := .tools/promrules/promrules

.PHONY: promrules
promrules: $(PROMRULES) ## Build what reads the alerts as Prometheus does (needs Go; a minute, once)

$(PROMRULES): tools/promrules/main.go | tools/promrules/go.mod tools/promrules/go.sum
	@tools/go_program.sh tools/promrules . $@

# A symbolic executor with its solver (AGPL-3.0: a tool beside the project, in a place of its own).
.PHONY: halmos
halmos: .tools/halmos/.installed ## Install halmos, which proves what contracts/test/halmos says of all states

.tools/halmos/.installed: $(UV) tools/halmos/requirements.txt
	@$(UV) venv --quiet --clear --python "$(HOST_PYTHON)" .tools/halmos
	@$(UV) pip install --quiet --python .tools/halmos/bin/python --require-hashes -r tools/halmos/requirements.txt
	@touch $@

.PHONY: synthea
synthea: tools/synthea/target/.fetched ## Fetch Synthea, which invents populations (needs Java 17 and Maven)

tools/synthea/target/.fetched: tools/synthea/pom.xml
	@mvn -q -B -f tools/synthea/pom.xml package
	@touch $@

# Spark, and the peer that measures anonymity, each in a place of its own: what they need is large or held back.
.PHONY: spark
spark: .tools/spark/.installed ## Install Spark, on which de-identification runs too (needs Java 17)

.tools/spark/.installed: $(UV) tools/spark/requirements.txt
	@$(UV) venv --quiet --clear --python "$(HOST_PYTHON)" .tools/spark
	@$(UV) pip install --quiet --python .tools/spark/bin/python --require-hashes -r tools/spark/requirements.txt
	@touch $@

.PHONY: pycanon
pycanon: .tools/pycanon/.installed ## Install pycanon, with which measured anonymity is compared

.tools/pycanon/.installed: $(UV) tools/pycanon/requirements.txt
	@$(UV) venv --quiet --clear --python "$(HOST_PYTHON)" .tools/pycanon
	@$(UV) pip install --quiet --python .tools/pycanon/bin/python --require-hashes -r tools/pycanon/requirements.txt
	@touch $@

.PHONY: accept
accept: setup validator hapi-client kubo geth halmos promrules spark pycanon synthea ## Slow acceptance suites: kills, faults of every part, a soak, long fuzzing, proofs of contracts, HL7's validator, HAPI's client (Java 17, Maven)
	@SIMDES_ACCEPT=1 $(PYTHON) -m pytest -q -m "accept or not accept" tests

.PHONY: drill
drill: $(VENV)/.runtime ## Lose everything of one organisation and restore it: real programs, two or three minutes
	@$(PYTHON) -m tools.drill

.PHONY: peers
peers: .tools/peers/.installed ## Install the libraries that `make bench` compares with, in a place of their own

.tools/peers/.installed: $(UV) bench/requirements-peers.txt
	@$(UV) venv --quiet --clear --python "$(HOST_PYTHON)" .tools/peers
	@$(UV) pip install --quiet --python .tools/peers/bin/python --require-hashes -r bench/requirements-peers.txt
	@touch $@

.PHONY: bench
bench: setup peers ## Measure and write bench/results and docs/evaluation.md
	@$(PYTHON) bench/run.py

.PHONY: requirements
requirements: $(UV) ## Resolve the hashed requirement files again
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra build pyproject.toml -o requirements.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra build --extra dev --extra proofs --extra research --extra traces pyproject.toml -c requirements.txt -o requirements-dev.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header bench/requirements-peers.in -o bench/requirements-peers.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tools/halmos/requirements.in -o tools/halmos/requirements.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tools/spark/requirements.in -o tools/spark/requirements.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tools/pycanon/requirements.in -o tools/pycanon/requirements.txt

.PHONY: clean
clean: ## Remove what was installed and built here
	@rm -rf $(VENV) .tools node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis contracts/out contracts/cache
