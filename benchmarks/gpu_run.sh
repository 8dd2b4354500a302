#!/usr/bin/env bash
# Lies in the folder that gpu_pack.sh made, as run.sh: install the wheels beside this machine's PyTorch, then check and
# measure outside of any checkout. Options are those of benchmarks/gpu.py; the result goes to $OUT, or to this folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
site=$(mktemp -d)
python=${PYTHON:-python3}
"$python" -m pip --disable-pip-version-check install --quiet --no-index --no-deps --no-compile --no-cache-dir \
  --target "$site" "$here"/whl/*.whl
export PYTHONPATH=$site PYTHONUNBUFFERED=1
given=()
for data in "$here"/ds/*/; do [ -d "$data" ] && given=(--data "$data"); done
[ -d "$here/before" ] && given+=(--before "$here/before")
cd "$here/proj"
exec "$python" benchmarks/gpu.py --out "${OUT:-$here}" "${given[@]}" "$@"
