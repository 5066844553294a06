#!/bin/sh
# make.sh COINS: six images of the data set COINS (images/, labels/), dealt to three splits.
set -e
cd "$(dirname "$0")"
take() {
    split=$1
    shift
    mkdir -p "$split/images" "$split/labels"
    for name; do
        cp "$coins/images/$name.jpg" "$split/images/"
        cp "$coins/labels/$name.txt" "$split/labels/"
    done
}
coins=$1
take train 0061 0063 0141 0142
take valid 0078
take test 0004
chmod -R u+w train valid test
cat > data.yaml <<'YAML'
# As Roboflow writes it, paths that do not exist here included; names as Ultralytics' map.
path: ../datasets/coins
train: ../train/images
val: ../valid/images
test: ../test/images

nc: 4
names:
  0: Five
  1: One
  2: Ten
  3: Two

roboflow:
  workspace: matan-nitzan
  version: 3
YAML
