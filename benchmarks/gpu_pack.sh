#!/usr/bin/env bash
# Make .gpu/: all that benchmarks/gpu.py needs on a GPU machine without network, whose Python has PyTorch, PyTorch
# Geometric, Triton, transformers, pyarrow, scipy, matplotlib, pytest and typer, but no polars, pydantic or rich.
#
#   make gpu-pack [BEFORE=COMMIT] [DATA="data/tiktok …"] [RUNS="plus-ml-1m …"] [PYTHON_THERE=3.12]
#   there: bash .gpu/run.sh [options of benchmarks/gpu.py]
#          bash .gpu/compare.sh "NAME ds/DATA OPTIONS" … (comparisons of models)
#
# RUNS are stored comparisons that compare.sh goes on with; a development environment lays them out (make test makes one).
# ALSO="optuna alembic sqlalchemy mako colorlog" packs further wheels, here those that trials need.
# Run from the project's root. Polars is the oldest that is supported: it is the smallest, and that version is tried.
set -euo pipefail
cd "$(dirname "$0")/.."
out=.gpu
python=${PYTHON:-python3}
there=${PYTHON_THERE:-3.12}
rm -rf $out
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir -p $out "$made/whl" "$made/site" "$made/proj/tests" "$made/ds"
platforms=(manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux_2_28_x86_64)
get() {
  "$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: --python-version "$there" \
    --implementation cp "${platforms[@]/#/--platform=}" --dest "$made/whl" "$@"
}
get pydantic
core=$(unzip -p "$made"/whl/pydantic-2*.whl '*/METADATA' | sed -n 's/^Requires-Dist: pydantic-core==\([0-9.]*\).*/\1/p')
get "pydantic-core==$core" typing-inspection annotated-types rich "polars==1.20.0" ${ALSO:-}
rm -rf build/lib  # setuptools would put what is left there into the wheel
"$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$made/whl" .
for wheel in "$made"/whl/*.whl; do unzip -q -o "$wheel" -d "$made/site"; done
cp -r benchmarks setup.cfg pyproject.toml "$made/proj/"
cp -r tests/__init__.py tests/kernels "$made/proj/tests/"  # the tests that need a GPU
rm -rf "$made/proj/benchmarks/results"
find "$made/proj" -name __pycache__ -prune -exec rm -r {} +
if [ -n "${BEFORE:-}" ]; then
  mkdir "$made/before"
  git archive "$BEFORE" alignrec_geo | tar -x -C "$made/before"
fi
for folder in ${DATA:-}; do cp -rL "$folder" "$made/ds/"; done
for name in ${RUNS:-}; do .venv/bin/python benchmarks stored lay-out "$name" "$made/runs/$name"; done
find "$made/ds" -type d -name images -prune -exec rm -r {} +  # vectors are what models read
rm -r "$made/whl"
tar c -C "$made" . | xz -T0 -6 >$out/pack.tar.xz  # a third of what wheels take: what travels is limited
cp benchmarks/gpu_run.sh $out/run.sh
cp benchmarks/gpu_compare.sh $out/compare.sh
du -sm $out
