# make install | demo | test | coverage | ptychodus | fuzz | lint | types | check | clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq
INSTALLED := $(VENV)/.installed

# Tests on real scans skip, visibly, where there are none.
REAL_DATA := $(abspath $(wildcard ../shared/data))
ifneq ($(REAL_DATA),)
export NAPARI_PTYCHONN_DATA ?= $(REAL_DATA)
endif

# The demonstration opens a window only where there is a screen to show it on.
SCREEN := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname))
HEADLESS := $(if $(SCREEN),,--headless)

# What Qt and OpenGL need on a Debian machine without a desktop.
LIBRARIES := xvfb libdbus-1-3 libegl1 libgl1 libglx0 libgl1-mesa-dri libglib2.0-0 \
	libfontconfig1 libfreetype6 libx11-6 libx11-xcb1 libxkbcommon0 libxkbcommon-x11-0 \
	libxcb1 libxcb-cursor0 libxcb-glx0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
	libxcb-randr0 libxcb-render0 libxcb-render-util0 libxcb-shape0 libxcb-shm0 \
	libxcb-sync1 libxcb-util1 libxcb-xfixes0 libxcb-xkb1

.PHONY: install libraries demo test coverage ptychodus fuzz lint types contracts manifest check clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory libraries
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes a few minutes."
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --constraint constraints.txt torch
	$(PIP) --constraint constraints.txt --editable ".[epie]" "napari[pyqt6]" --group dev
	@touch $@

libraries:
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=; \
	for name in $(LIBRARIES); do \
		dpkg-query --show --showformat='$${Status}' $$name 2>/dev/null \
			| grep -q 'ok installed' || missing="$$missing $$name"; \
	done; \
	test -n "$$missing" || exit 0; \
	if [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq --yes --no-install-recommends $$missing; \
	else \
		echo "Without a desktop, Qt also needs: sudo apt-get install$$missing"; \
	fi

demo: install
	$(BIN)/napari-ptychonn demo $(HEADLESS) -o demo

# One process for each core, of one thread each: threads that share a core wait for each other.
# Tests move to a core that is idle, so that no long file is left for the end.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

# Fails below the floor in pyproject.toml; htmlcov/index.html shows the lines that were not run.
coverage: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal \
		--cov --cov-report=term --cov-report=html $(ARGS)

# An environment with ptychodus, whose own readers then check the files that are written:
# docs/decisions/ptychodus.md. The tests that need it skip without it.
ptychodus: .venv-ptychodus/.installed

.venv-ptychodus/.installed: tests/fixtures/ptychodus-requirements.txt
	$(PYTHON) -m venv .venv-ptychodus
	.venv-ptychodus/bin/python -m pip install -qq --requirement $<
	.venv-ptychodus/bin/python -m pip install -qq --no-deps ptychodus==1.7.0
	@touch $@

# Damaged files by the thousand; the test suite takes 500.
fuzz: install
	$(BIN)/python tests/fuzz/test_fuzz.py $(or $(ARGS),--files 5000)

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install
	$(BIN)/mypy

contracts: install
	$(BIN)/lint-imports --no-logo

manifest: install
	$(BIN)/npe2 validate --imports napari_ptychonn

check: lint types contracts manifest test

clean:
	rm -rf $(VENV) .venv-ptychodus demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage htmlcov
