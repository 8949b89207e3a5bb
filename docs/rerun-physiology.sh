#!/bin/sh
# Measures the bundled network again and puts the numbers into docs/insilico.md and docs/opto.md, between the lines
# "<!-- measured: … -->" and "<!-- end of measured -->". Options for every command may follow, such as -j 2.
#   docs/rerun-physiology.sh [FOLDER [OPTION…]]
set -e
cd "$(dirname "$0")/.."
folder=${1:-target/physiology}
[ $# -gt 0 ] && shift
mkdir -p "$folder"
gammanet=cli/gammanet
$gammanet insilico -e all --seed 1 --control random:3,shuffled:3,lesion:horizontal+top_down+inhibition \
  -o "$folder/insilico" "$@"
$gammanet opto --size 96 -o "$folder/opto" "$@"
weights=$(find pretrained/src/main/resources -name '*.safetensors' | head -n 1)
$gammanet inspect "$weights" --circuit --json > "$folder/circuit.json"
python3 docs/physiology_tables.py "$folder"
