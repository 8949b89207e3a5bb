#!/bin/sh
# Makes the pictures of README and docs that show the bundled network, after its weights or the page have changed:
# docs/chelsea-edges.png, docs/images/detections.jpg, timesteps.jpg and ods-over-hours.svg (from the model card's log), and,
# where there are node, npm and chromium, docs/images/view-*. Wants a built clone.
#   docs/pictures.sh
set -e
cd "$(dirname "$0")/.."
gammanet=${GAMMANET:-cli/gammanet}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
$gammanet detect samples/chelsea.png samples/coffee.png samples/rocket.jpg --side-by-side --max-side none -o "$folder"
cp "$folder/chelsea-edges.png" docs/chelsea-edges.png
jdk=$($gammanet info | sed -n 's/^java .* in //p')
"$jdk/bin/java" docs/java/Stack.java docs/images/detections.jpg 786 \
  "$folder/chelsea-edges.png" "$folder/coffee-edges.png" "$folder/rocket-edges.png"
echo docs/images/detections.jpg
$gammanet detect samples/rocket.jpg --all-timesteps --timesteps 8 --max-side none -o "$folder/timesteps"
"$jdk/bin/java" docs/java/Timesteps.java "$folder/timesteps.png" 230 "$folder/timesteps/rocket"
"$jdk/bin/java" docs/java/Stack.java docs/images/timesteps.jpg 938 "$folder/timesteps.png"
echo docs/images/timesteps.jpg
"$jdk/bin/java" -cp figures/target/classes docs/java/OdsOverHours.java "$folder/ods-over-hours" pretrained/README.md
cp "$folder/ods-over-hours.svg" docs/images
echo docs/images/ods-over-hours.svg
if command -v node >/dev/null && command -v npm >/dev/null; then
  cd view/src/test/browser
  npm ci --silent --no-audit --no-fund
  node screenshots.mjs
else
  echo "without node and npm the pictures of docs/view.md stay as they are" >&2
fi
