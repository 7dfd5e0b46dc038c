PYTHON ?= python3.11

.PHONY: venv
venv: .venv/.stamp

.venv/.stamp: constraints.txt setup.cfg pyproject.toml tools/venv.py
	@$(PYTHON) tools/venv.py
