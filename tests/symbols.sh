#!/bin/sh
# What libpts.a gives to the linker and what it asks for. The library never prints, never exits,
# never aborts and never reads the environment: it does not even refer to what would.
# usage: symbols.sh NM LIBPTS
set -u
nm=$1 library=$2
failed=0

# Names that leave the archive are pts_*; a name that two files of one room share among themselves
# may carry that room's own prefix instead, and no other room's.
prefixes_of() {
    case $1 in
    collect) echo 'curve|farm|job|outline|plan|process|trainer|worker' ;;
    data) echo 'dataset|store' ;;
    encoders) echo 'clip_vit|inception_v3|network' ;;
    learn) echo 'head|labelled|linear|lodo|mlp|perceptron|population|predictor|study|sweep|tasks|theta' ;;
    metrics) echo 'coco' ;;
    segment) echo 'chamfer|decoder|evaluation|extractor|features?|instances?|pca|picture|projection|segment|segmenter|viewer' ;;
    weights) echo 'ptsw' ;;
    web) echo 'web' ;;
    esac
}

given=$($nm -gA --defined-only "$library" 2>/dev/null |
    sed -n 's/.*:src_\([a-z]*\)_[^:]*\.o:.* \([^ ]*\)$/\1 \2/p' | sort -u)
[ "$(echo "$given" | wc -l)" -gt 20 ] || { echo "$library: no symbols read"; exit 1; }
for room in $(echo "$given" | cut -d' ' -f1 | sort -u); do
    own=$(prefixes_of "$room")
    foreign=$(echo "$given" | sed -n "s/^$room //p" | grep -vE "^(pts${own:+|$own})_")
    if [ -n "$foreign" ]; then
        echo "room $room: expected pts_*${own:+ or ($own)_*} as global symbols, got" $foreign
        failed=1
    fi
done

asked=$($nm -u "$library" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u)
banned=$(echo "$asked" | grep -xE \
    '(__)?v?printf(_chk)?|puts|putchar|perror|stdout|stderr|exit|_exit|_Exit|quick_exit|abort|(secure_)?getenv|setenv|putenv|system|popen|signal|sigaction|rand|srand|setlocale|gets')
if [ -n "$banned" ]; then
    echo "$library: the library may not call:"
    for symbol in $banned; do
        echo "$symbol in $($nm -uA "$library" 2>/dev/null | awk -v s="$symbol" '$NF == s { print $1 }' | tr '\n' ' ')"
    done
    failed=1
fi
exit $failed
