# `make book`: from a fresh clone to the built book, with the quick study run on this machine.
# `make test`: from a fresh clone to every test passed.
# Both set up what is missing in .venv; called again they do only what is missing or changed.

PYTHON ?= python3
BIN := .venv/bin
PLAN ?= quick
# Options of the build, as "-W -n --keep-going": warnings are errors.
BOOK_OPTIONS ?=
INDEX := book/_build/html/index.html
# pip writes a program's first line with the folder's name in it, which not every name leaves legible.
PROGRAMS := $(BIN)/python $(BIN)
# One of the files that the built book shows and that are newer, recorded runs with every file that it reads of them. They
# are no prerequisites: Make takes a name with a space for two.
CHANGED := $(shell find book studylib runs -type f -newer $(INDEX) \
	\( -name '*.py' -o -name '*.md' -o -name '*.yml' -o -name '*.yaml' -o -name '*.css' -o -name '*.csv' -o -name '*.bib' \
	-o -name '*.js' -o -name '*.html' -o -name '*.ipynb' -o -name '*.svg' -o -name '*.png' \
	-o -name '*.json' -o -name '*.parquet' -o -name '*.npz' \) \
	-not -path '*/_build/*' -not -path '*/.ipynb_checkpoints/*' 2>/dev/null | head -n 1)

.PHONY: book test run lint bench picture clean changed

book: run
	@$(MAKE) --no-print-directory $(INDEX)
	@echo "The book: $(INDEX)"

# The plan's runs that are missing, through papermill, on all cores.
run: .venv/installed
	$(PROGRAMS)/snakemake -s runs/Snakefile --profile runs/profiles/local --config "plan=$(PLAN)"

$(INDEX): .venv/installed $(if $(CHANGED),changed)
	$(PROGRAMS)/jupyter-book build book/ $(BOOK_OPTIONS)
	@touch $@

# Four processes, each takes a file of tests at a time (those of a file share set-up): most tests keep one core busy, and
# some wait, for Slurm or for another process. One thread each: those of torch wait for one another at work, in each other's
# way.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

bench: .venv/installed
	$(BIN)/python -m tests.bench

# The README's picture, from recorded runs of the plan lips.
picture: .venv/installed
	$(BIN)/python -c "from studylib.book import cues; from studylib.runs import results; \
	found = cues.by_order(cues.reordered(results.table('lips'), 'lips')); \
	found = found[found.groupby('net')['net'].transform('size') > 1]; \
	figure = cues.orders_figure(found, {cues.ALL: {'chance': 10}}); \
	figure.axes[0].set_title('Ten words, people never seen before'); \
	figure.savefig('book/_static/result.svg', metadata={'Date': None})"

.venv/installed: pyproject.toml
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --editable '.[test]'
	@touch $@

clean:
	rm -rf book/_build
