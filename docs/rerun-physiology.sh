#!/bin/sh
# Measures the bundled network again and puts the numbers into docs/insilico.md and docs/opto.md, between the lines
# "<!-- measured: … -->" and "<!-- end of measured -->", and the summary of the report into docs/images. Options for every
# command may follow, such as -j 2.
#   docs/rerun-physiology.sh [FOLDER [OPTION…]]
# With NETWORKS=FOLDER, that of benchmarks/networks, its five seeds as a sample as well, and the network that obeys Dale's
# principle, in bfloat16 where that is faster (an hour of one processor).
# With FULL=full, or the name of a file of weights, the full network as well, on the same stimuli and in bfloat16 where
# that is faster (hours on two processors), for docs/full-network.md. SIZE, OPTO_SIZE and CONTROLS in the environment
# make a smaller run; an interrupted one continues.
set -e
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac; }
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(absolute "${1:-$root/target/physiology}")
[ $# -gt 0 ] && shift
networks=${NETWORKS:+$(absolute "$NETWORKS")}
[ ! -e "$FULL" ] || FULL=$(absolute "$FULL")
cd "$root"
mkdir -p "$folder"
gammanet=${GAMMANET:-cli/gammanet}
$gammanet insilico -e all --seed 1 --size "${SIZE:-128}" \
  --control "${CONTROLS:-random:3,shuffled:3,lesion:horizontal+top_down+inhibition}" -o "$folder/insilico" "$@"
# Where the decoder does not decode, opto writes its summary, optimizes nothing, and ends with 1.
$gammanet opto --size "${OPTO_SIZE:-96}" -o "$folder/opto" "$@" || [ -f "$folder/opto/summary.txt" ]
measure() { # FOLDER OPTION...
  out=$folder/$1
  shift
  $gammanet insilico -e all --seed 1 --size "${SIZE:-128}" --control "${CONTROLS:-random:3,shuffled:3}" \
    --precision bf16 -o "$out" "$@"
}
if [ -n "$networks" ]; then
  measure sample -c "$networks/seed1" -c "$networks/seed2" -c "$networks/seed3" -c "$networks/seed4" \
    -c "$networks/seed5" "$@"
  measure dale -c "$networks/dale" "$@"
fi
if [ -n "$FULL" ]; then
  measure full -c "$FULL" "$@"
  $gammanet opto --size "${OPTO_SIZE:-96}" --precision bf16 --checkpoint "$FULL" -o "$folder/full-opto" "$@" \
    || [ -f "$folder/full-opto/summary.txt" ]
fi
weights=$(find pretrained/src/main/resources -name '*.safetensors' | head -n 1)
$gammanet inspect "$weights" --circuit --json > "$folder/circuit.json"
python3 docs/physiology_tables.py "$folder"
jdk=$($gammanet info | sed -n 's/^java .* in //p')
"$jdk/bin/java" docs/java/Stack.java docs/images/insilico-report.jpg 1400 "$folder/insilico/insilico_summary.png"
