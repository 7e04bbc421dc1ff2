# make app   environment, models, and the app on http://127.0.0.1:8501
# make test  the same set-up, then every test, browser tests included
# make lint  ruff and pyright
# Each is idempotent and quick the second time.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
# Passed on to pip, for example a package index.
PIP_ARGS ?=
# Passed on to pytest, for example -k capture.
PYTEST_ARGS ?=
# Tests run in so many processes, a file in one of them, and share the cores.
PROCESSES ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(PIP_ARGS)

# Idle OpenMP threads sleep in place of spinning: two visitors at once, or any other program
# on the same cores, otherwise make every small tensor operation wait for milliseconds.
export OMP_WAIT_POLICY ?= passive

.PHONY: app test lint format models environment environment-dev chromium clean
.DEFAULT_GOAL := app

app: models
	$(BIN)/python -m streamlit run app.py --server.address 127.0.0.1 --server.port $(PORT)

test: environment-dev chromium models
	OMP_NUM_THREADS=$$($(BIN)/python -c 'import os; print(max(1, os.cpu_count() // $(PROCESSES)))') \
	  $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile $(PYTEST_ARGS)

lint: environment-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright

format: environment-dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

# Verifies in half a second what is there; fetches and converts what is missing or damaged.
models: environment
	$(BIN)/python -m hsa prepare

environment: $(VENV)/.installed
environment-dev: $(VENV)/.installed-dev

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) -V 2>&1`. Name another: make PYTHON=python3.11"; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.txt | $(VENV)/.created
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || command -v google-chrome >/dev/null || { \
	  echo "The browser tests need Chromium: sudo apt-get install --yes chromium"; exit 1; }

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
