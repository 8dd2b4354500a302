#!/usr/bin/env bash
# Lies in the folder that gpu_pack.sh made, as compare.sh: comparisons of models on a GPU, several processes at a time.
#
#   bash .gpu/compare.sh "plus-toys ds/toys --models alignrec,alignrec-plus --features text --seeds 5" …
#
# Every argument is one comparison: its name, its data set in the pack, and options of 'alignrec-geo compare'. One that
# was packed (RUNS of 'make gpu-pack') goes on, with more models, seeds or trials. With trials, the pack must hold Optuna.
# A GPU that is busy gives every process an equal share, so what matters most goes into a comparison of few models.
# What comes back is $OUT/runs.tgz: the folders of the comparisons without weights. Unpacked at home, 'python benchmarks
# stored keep NAME runs/NAME' stores one, and the same command with '--out runs/NAME' goes on with it. SECONDS_LEFT=500
# ends them in time: what was begun goes on at home.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
tar xJf "$here/pack.tar.xz" -C "$work"
export PYTHONPATH=$work/site PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 MPLBACKEND=Agg
if command -v nvidia-cuda-mps-control >/dev/null; then # small models leave most of a GPU idle: processes share it
  export CUDA_MPS_PIPE_DIRECTORY=$work/mps CUDA_MPS_LOG_DIRECTORY=$work/mps
  mkdir -p "$work/mps"
  nvidia-cuda-mps-control -d || true
  trap 'echo quit | timeout 5 nvidia-cuda-mps-control >/dev/null || true' EXIT
fi
mkdir -p "$work/runs"
cd "$work" # a checkout in the current folder would be imported in place of the wheel
for comparison in "$@"; do
  read -r name data options <<<"$comparison"
  # shellcheck disable=SC2086
  timeout --signal=TERM "${SECONDS_LEFT:-3600}" "${PYTHON:-python3}" -W ignore -m alignrec_geo compare "$work/$data" $options \
    --jobs "${JOBS:-5}" --out "$work/runs/$name" >"$work/runs/$name.log" 2>&1 &
done
wait || true
for log in "$work"/runs/*.log; do
  echo "== $log"
  tail -n 12 "$log"
done
# every run folder holds its data set, to be served alone
tar czf "${OUT:-$here}/runs.tgz" --exclude '*.safetensors' --exclude '*.pt' --exclude 'runs/*/runs/*/*/dataset' \
  -C "$work" runs
