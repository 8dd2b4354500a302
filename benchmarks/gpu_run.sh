#!/usr/bin/env bash
# Lies in the folder that gpu_pack.sh made, as run.sh: unpack beside this machine's PyTorch, then check and measure
# outside of any checkout. Options are those of benchmarks/gpu.py; the result goes to $OUT, or to this folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
tar xJf "$here/pack.tar.xz" -C "$work"
export PYTHONPATH=$work/site PYTHONUNBUFFERED=1
given=()
for data in "$work"/ds/*/; do [ -d "$data" ] && given=(--data "$data"); done
[ -d "$work/before" ] && given+=(--before "$work/before")
cd "$work/proj"
exec "${PYTHON:-python3}" benchmarks/gpu.py --out "${OUT:-$here}" "${given[@]}" "$@"
