# Two commands for a machine with Python 3.10 to 3.13, make and a C++ compiler: `make demo` and `make test`.
# Both set up what they need in .venv; a second run starts in seconds. On a ROS 2 machine `colcon build` works too.

# PyBullet has wheels for 3.10 and 3.11 and is compiled elsewhere (ten minutes), so these come first.
PYTHON ?= $(firstword $(foreach python,python3.11 python3.10 python3,$(shell $(python) -c 'print("$(python)")' 2>/dev/null)))
# The ROS 2 whose wheels are installed; each release has an environment of its own: make ROS=kilted test
ROS    ?= jazzy
WHEELS := tools/requirements-ros-$(ROS).txt
VENV   := .venv$(if $(filter-out jazzy,$(ROS)),-$(ROS))
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check

INTERFACES := $(wildcard msg/*.msg srv/*.srv action/*.action) CMakeLists.txt package.xml tools/build_interfaces.py

ifeq ($(wildcard $(WHEELS)),)
$(error ROS is '$(ROS)'; expected one of $(patsubst tools/requirements-ros-%.txt,%,$(wildcard tools/requirements-ros-*.txt)))
endif

# A sourced ROS 2 installation must not mix with the wheels of .venv.
unexport PYTHONPATH LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
# Several processes share few cores; one thread each is faster than all threads for all.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup test lint coverage demo build clean guards faults soak model docs
.DEFAULT_GOAL := help

help: ## Say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

# A file's tests stay in one process, which makes its bundles and worlds once. What computes has a process per core; the
# nodes' tests wait most of the time, so more of them run at once. Robots of others run by the wall clock, one at a
# time, as do those on two computers; doctor looks at all that is there. The page is tested in a browser beside a
# simulated robot.
PAGE := test/cli/view/test_page_in_browser.py
PYTEST_ON_CORES := $(PY) -m pytest --dist loadfile --numprocesses 2 --ignore test/nodes --ignore test/strangers --ignore test/network --ignore $(PAGE)
PYTEST_OF_NODES := $(PY) -m pytest --dist loadfile --numprocesses 5 --ignore test/nodes/test_doctor.py test/nodes
PYTEST_ALONE := $(PY) -m pytest test/nodes/test_doctor.py test/strangers test/network $(PAGE)
# What fails beside other tests runs once more by itself: on a full machine a process may stand for a second, and what
# keeps to the clock is then late. What fails again has failed; what passed only alone stands in the output.
OR_ALONE = || (echo "Once more, one at a time:" && $(1) --numprocesses 0 --last-failed --last-failed-no-failures none)

setup: $(VENV)/.interfaces ## Make .venv with pinned dependencies, ROS 2 and the built interfaces

demo: setup ## Watch the simulated arm do what a picture says; writes out/demo/
	$(VENV)/bin/jepa-planner demo

test: lint $(VENV)/.colcon $(VENV)/.test_interfaces $(VENV)/.robots $(VENV)/.chromium ## Check the style and run every test; the wheel and a colcon workspace are among them
	$(PYTEST_ON_CORES) $(call OR_ALONE,$(PYTEST_ON_CORES))
	$(PYTEST_OF_NODES) $(call OR_ALONE,$(PYTEST_OF_NODES))
	$(PYTEST_ALONE) $(call OR_ALONE,$(PYTEST_ALONE))

coverage: setup $(VENV)/.colcon $(VENV)/.test_interfaces $(VENV)/.robots $(VENV)/.chromium ## Run every test and print which lines of which file none of them runs; processes of nodes do not count
	$(PYTEST_ON_CORES) --cov --cov-report=
	$(PYTEST_OF_NODES) --cov --cov-append --cov-report=
	$(PYTEST_ALONE) --cov --cov-append --cov-report=term-missing:skip-covered

guards: setup $(VENV)/.test_interfaces ## Remove each safety guard in a copy, and show that its test then fails
	$(PY) tools/check_guards.py

faults: setup $(VENV)/.test_interfaces ## Put faults into the middle of motions, with default timeouts, and between two computers; prints tables
	FAULTS_WITH_DEFAULTS=1 $(PY) -m pytest -q test/nodes/test_faults.py -m "soak or not soak"
	$(PY) test/network/bad_network.py

soak: setup $(VENV)/.test_interfaces ## The long tests: an hour of goals, ten thousand bad inputs, ten scenes with a robot of others
	FUZZ_EXAMPLES=750 $(PY) -m pytest -q --timeout 3600 test/test_bad_input.py test/nodes/test_bad_messages.py
	$(PY) -m pytest -q -s -m soak test/soak test/nodes/test_robot_families.py test/cli/test_robot.py

model: setup ## Train the shipped model anew from nothing, into out/model: about three hours on two cores; resumes
	$(VENV)/bin/jepa-planner collect out/episodes --episodes 1640
	$(VENV)/bin/jepa-planner collect out/demonstrations --behaviour demonstration --episodes 3000 --steps 44 --seed 30000
	$(VENV)/bin/jepa-planner train --data out/episodes --demonstrations out/demonstrations --out out/model --name panda-tabletop

docs: $(VENV)/.docs ## Build the guides and the API reference into out/site; a broken link fails
	$(PY) -m mkdocs build --strict

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

# What setuptools left in build/ goes first: it would end up in the wheel, modules that are gone included.
build: setup ## Build a wheel into dist/
	rm -rf build/lib build/bdist.* *.egg-info
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## Remove everything that make made, .venv included
	rm -rf $(VENV) build dist out install log *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.10 to 3.13 is needed, $(PYTHON) is" `$(PYTHON) -V` "- choose another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: tools/requirements.txt | $(VENV)/.python
	@echo "Installing Python dependencies into $(VENV) (about a minute) ..."
	@$(PIP) -r tools/requirements.txt
	@touch $@

$(VENV)/.ros: $(WHEELS) $(VENV)/.dependencies
	@echo "Installing ROS 2 ($(ROS)) from wheels ..."
	@$(PIP) -r $(WHEELS)
	@touch $@

$(VENV)/.docs: tools/requirements-docs.txt $(VENV)/.dependencies
	@$(PIP) -r tools/requirements-docs.txt
	@touch $@

# An environment of its own: colcon wants an older setuptools, and brings plugins of pytest.
$(VENV)/.colcon: tools/requirements-colcon.txt | $(VENV)/.python
	@$(PYTHON) -m venv $(VENV)/colcon
	@$(VENV)/colcon/bin/python -m pip install --quiet --disable-pip-version-check -r tools/requirements-colcon.txt
	@touch $@

$(VENV)/.package: pyproject.toml setup.py $(VENV)/.ros
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.interfaces: $(INTERFACES) $(VENV)/.package
	@echo "Building the ROS 2 interfaces (about a minute) ..."
	@$(PY) tools/build_interfaces.py
	@touch $@

$(VENV)/.robots: tools/requirements-robots.txt $(VENV)/.python
	@$(PIP) --no-deps -r tools/requirements-robots.txt
	@touch $@

# A browser for tests of the page. Where none can be installed they are skipped, and say so; the next make tries again.
$(VENV)/.chromium: | $(VENV)/.python
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium) >/dev/null 2>&1 || true
	@command -v chromium >/dev/null && touch $@ || echo "There is no chromium: as root, apt-get install chromium"

# What a ROS 2 installation has and the wheels lack (control_msgs, tf2_msgs ...), for tests alone.
$(VENV)/.test_interfaces: $(wildcard test/interfaces/*/*/*) tools/build_interfaces.py $(VENV)/.interfaces
	@echo "Building the interfaces that tests stand in for (about a minute) ..."
	@$(PY) tools/build_interfaces.py test/interfaces
	@touch $@
