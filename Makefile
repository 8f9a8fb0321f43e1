# The dependency graph. `make` alone lists the targets; PROFILE=smoke|quick|full, DATASET=..., DATA_PATH=ZIP_OR_FOLDER.
PROFILE   ?= quick
DATASET   ?= fashion-mnist
DATA_PATH ?=
PYTHON    ?= python3
RUN        = .venv/bin/python -m fashion16_lib
OF_RUN     = --profile $(PROFILE) --dataset $(DATASET)
PATH_GIVEN = $(if $(DATA_PATH),--data-path "$(DATA_PATH)")

# Nothing outside this folder is written but pip's own download cache.
export KERAS_HOME   = $(CURDIR)/data/keras
export MPLCONFIGDIR = $(CURDIR)/build/matplotlib
export IPYTHONDIR   = $(CURDIR)/build/ipython
export TF_CPP_MIN_LOG_LEVEL = 3
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help setup data paper all serve figures test bench verify publish book readme screenshots lab lock clean
.DELETE_ON_ERROR:

help:   ## list the targets (this list)
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo "  PROFILE=smoke|quick|full chooses the scale (now: $(PROFILE))"
	@echo "  DATASET=fashion-mnist|product-photos|street-photos|class-folder chooses the images (now: $(DATASET)),"
	@echo "  DATA_PATH=ZIP_OR_FOLDER where the photos are (data/README.md says where to get them)"

setup: .venv/.complete   ## make .venv and install every package of requirements.lock into it

.venv/.complete: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "set-up: $(PYTHON) isn't there; install Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@$(PYTHON) fashion16_lib/preflight.py
	@echo "set-up: installing into .venv (about 2.5 GiB, some minutes)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --progress-bar on --require-hashes --only-binary :all: -r requirements.lock
	@.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

data: setup   ## fetch and verify Fashion-MNIST and the ImageNet weights of VGG-16
	@$(RUN) fetch

paper: data   ## run every notebook of the paper on DATASET at PROFILE, write results/ and the READMEs' tables
	@$(RUN) run $(OF_RUN) $(PATH_GIVEN)
	@$(RUN) readme >/dev/null

all: paper   ## the paper, and the notebooks that stand on product photos, where those are there
	@$(RUN) run --profile $(PROFILE) --dataset product-photos --where-photos-are $(PATH_GIVEN)
	@$(RUN) readme >/dev/null

serve: data   ## show the page of Fig 5 on this computer (LIBRARY=FILE.h5 PICTURES=ZIP_OR_FOLDER: your own garments)
	@$(RUN) serve --profile $(PROFILE) $(if $(LIBRARY),"$(LIBRARY)") $(if $(PICTURES),--pictures "$(PICTURES)")

figures: paper   ## show every figure and table of a run on one page, index.html in its results
	@$(RUN) figures $(OF_RUN)

test: data   ## check code, notebooks and results
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m mypy
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

verify: data   ## rerun PROFILE from nothing in build/verify and compare its numbers with results/expected
	@rm -rf build/verify
	@FASHION16_OUT=build/verify $(RUN) run $(OF_RUN) $(PATH_GIVEN)
	@FASHION16_OUT=build/verify $(RUN) compare $(OF_RUN)

bench: data   ## measure speed, memory and precision beside other ways; ratios into results/bench (about 20 minutes)
	@.venv/bin/python benchmarks/bench.py

publish: paper   ## put the executed notebooks of PROFILE into notebooks/
	@$(RUN) publish --profile $(PROFILE)

book: setup   ## make the book of the committed notebooks, in English and Chinese: build/book/html/index.html
	@.venv/bin/python docs/build.py
	@echo "book: build/book/html/index.html"

readme: setup   ## make the READMEs' tables of results anew from results/quick
	@$(RUN) readme

screenshots: paper   ## take the pictures of the page anew, in a browser (needs Chromium)
	@FASHION16_LIBRARY=build/$(PROFILE)/library.h5 FASHION16_SCREENSHOTS=results/page \
	    .venv/bin/python -m pytest tests/test_page.py -k screenshots

lab: setup   ## open the notebooks in JupyterLab
	@.venv/bin/python -m jupyterlab --ip 127.0.0.1 notebooks

lock:   ## resolve requirements.lock again (needs uv)
	uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --upgrade pyproject.toml --output-file requirements.lock

clean:   ## remove build/ (never results/ or data/)
	rm -rf build
