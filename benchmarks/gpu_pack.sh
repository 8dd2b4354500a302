#!/usr/bin/env bash
# Make .gpu/: all that benchmarks/gpu.py needs on a GPU machine without network, whose Python has PyTorch, PyTorch
# Geometric, Triton, transformers, pyarrow, scipy, matplotlib, pytest and typer, but no polars, pydantic or rich.
#
#   make gpu-pack [BEFORE=COMMIT] [DATA="data/tiktok …"] [PYTHON_THERE=3.12]
#   there: bash .gpu/run.sh [options of benchmarks/gpu.py]
#
# Run from the project's root. Polars is the oldest that is supported: it is the smallest, and that version is tried.
set -euo pipefail
cd "$(dirname "$0")/.."
out=.gpu
python=${PYTHON:-python3}
there=${PYTHON_THERE:-3.12}
rm -rf $out
mkdir -p $out/whl $out/proj $out/ds
platforms=(manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux_2_28_x86_64)
get() {
  "$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: --python-version "$there" \
    --implementation cp "${platforms[@]/#/--platform=}" --dest $out/whl "$@"
}
get pydantic
core=$(unzip -p $out/whl/pydantic-2*.whl '*/METADATA' | sed -n 's/^Requires-Dist: pydantic-core==\([0-9.]*\).*/\1/p')
get "pydantic-core==$core" typing-inspection annotated-types rich "polars==1.20.0"
rm -rf build/lib  # setuptools would put what is left there into the wheel
"$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir $out/whl .
mkdir -p $out/proj/tests
cp -r benchmarks setup.cfg pyproject.toml $out/proj/
cp -r tests/__init__.py tests/kernels $out/proj/tests/  # the tests that need a GPU
rm -rf $out/proj/benchmarks/results
find $out/proj -name __pycache__ -prune -exec rm -r {} +
cp benchmarks/gpu_run.sh $out/run.sh
if [ -n "${BEFORE:-}" ]; then
  mkdir $out/before
  git archive "$BEFORE" alignrec_geo | tar -x -C $out/before
fi
for folder in ${DATA:-}; do cp -r "$folder" $out/ds/; done
du -sm $out
