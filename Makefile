# make quickstart   set up .venv and run the whole system once on a generated catalogue
# make serve        show the quickstart's run at http://127.0.0.1:8000 (RUN=runs/shop another one)
# make test         set up .venv and run the tests, in two processes; with COVERAGE=1 also count the lines they run
# make test-slow    also the long checks
# make mutation     change single tokens of the program and count which changes the tests notice (long; goes on
#                   where it was cut off; MUTATION="--only 17,45" repeats single ones)
# make fuzz         changed files of every format that the program opens, more than 200,000 executions in two processes
# make test-ext     what needs torch-sparse, torch-scatter and TorchRec: their backends, sampled training; in a .venv-ext
#                   of its own (builds the first two: 20 minutes)
# make bench-peers time RecBole, implicit and cornac on the same data
# make gpu-pack  .gpu/, what a GPU machine without network needs to run benchmarks/gpu.py (see benchmarks/gpu_pack.sh)
# make docs         build the documentation site into build/site; a warning is a failure
# make lint         ruff, mypy, import-linter, codespell
# make clean        remove .venv and caches

PYTHON ?= python3
# Where torch comes from. On Linux without a GPU the CPU build is enough; with PyTorch's own index:
#   make quickstart TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
OUT ?= runs/quickstart
RUN ?= $(OUT)/alignrec_aligned

WITH_COVERAGE := --cov --cov-report=term --cov-fail-under=98

VENV := .venv
BIN := $(VENV)/bin
EXT := .venv-ext
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
EXT_PIP := $(EXT)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# hundreds of processes and two workers would compile the same modules again and again
test test-slow fuzz: export PYTHONDONTWRITEBYTECODE =

.PHONY: bench-peers fuzz gpu-pack mutation quickstart serve test test-slow test-ext docs lint clean

quickstart: $(VENV)/.installed
	$(BIN)/alignrec-geo quickstart --out $(OUT)

serve: $(VENV)/.installed
	$(PIP) --editable '.[serve]'
	$(BIN)/alignrec-geo serve $(RUN)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations=20 $(if $(COVERAGE),$(WITH_COVERAGE))

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "slow or not slow"

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz

test-ext: $(EXT)/.installed
	$(EXT)/bin/python -m pytest tests/kernels/test_ext.py tests/training/test_subgraphs.py tests/training/test_sampled.py \
		tests/models/test_on_subgraph.py
	$(EXT)/bin/python -m pytest tests/distributed/test_sampled_ranks.py tests/benchmarks/test_sampled.py -m "slow or not slow"
	$(EXT)/bin/python -m pytest tests/test_docs.py -k custom-loop

mutation: $(VENV)/.installed-dev
	$(BIN)/python -m tests.mutation $(MUTATION)

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/codespell

# peers (RecBole, implicit, cornac) pin old versions, so they live in an environment of their own
bench-peers: $(VENV)/.installed-dev
	$(BIN)/python benchmarks peers install
	$(BIN)/python benchmarks peers run

gpu-pack:
	PYTHON=$(PYTHON) BEFORE=$(BEFORE) DATA="$(DATA)" RUNS="$(RUNS)" bash benchmarks/gpu_pack.sh

# torch first: a bare "torch" would pull several GB of CUDA packages
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	touch $@

# without build isolation: both are compiled against the torch that is installed, with what compiles them at hand
$(EXT)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(EXT)
	$(EXT_PIP) $(TORCH)
	$(EXT_PIP) --editable . setuptools wheel pytest hypothesis
	$(EXT_PIP) --no-build-isolation --editable '.[pyg-ext]'
	$(EXT_PIP) --editable '.[torchrec]'
	$(EXT_PIP) --no-deps torchrec fbgemm-gpu-cpu
	touch $@

clean:
	rm -rf $(VENV) $(EXT) .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
