#!/bin/sh
# Our sources are as clang-format (.clang-format) writes them, carry no tabs, trailing blanks, long
# lines, notes to self or invisible characters, and end with a newline.
# usage: style.sh ROOT
set -u
cd "$1" || exit 1
failed=0

sources=$(find src include tests tools bench -type f -name '*.[ch]' 2>/dev/null | sort)
scripts="$(grep -rlI '^#!/bin/sh' tools tests .ci 2>/dev/null | sort)"
builds="$(find . -path ./.git -prune -o -path './build*' -prune -o -name 'meson*.build' -print -o \
    -name 'meson_options.txt' -print | sort)"
texts="$(find . -maxdepth 1 -name '*.md' | sort)"

refuse() { # WHAT PATTERN FILES...
    what=$1 pattern=$2
    shift 2
    if found=$(LC_ALL=C.UTF-8 grep -nP -- "$pattern" "$@" /dev/null); then
        echo "$what:"
        echo "$found" | cut -c1-160
        failed=1
    fi
}

refuse 'a tab' '\t' $sources $builds
refuse 'blanks at the end of a line' '[ \t]+$' $sources $scripts $builds
refuse 'a carriage return' '\r' $sources $scripts $builds $texts
refuse 'a line over 100 columns' '^.{101,}' $sources
refuse 'a note to self' '\b(TO[D]O|FIX[M]E|X[X]X)\b' $sources $scripts $builds $texts
# Soft hyphen, zero-width characters, directional marks and overrides, byte order mark, tags.
refuse 'an invisible character' \
    '[\x{00AD}\x{061C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{206F}\x{FEFF}\x{E0000}-\x{E007F}]' \
    $sources $scripts $builds $texts

for file in $sources $scripts $builds $texts; do
    if [ -n "$(tail -c 1 "$file")" ]; then
        echo "$file: no newline at the end"
        failed=1
    fi
done
if ! command -v clang-format >/dev/null; then
    echo 'clang-format: not found (tools/packages names it)'
    failed=1
elif ! clang-format --dry-run -Werror $sources; then
    failed=1
fi
[ "$(echo "$sources" | wc -l)" -gt 20 ] || { echo "no sources found"; failed=1; }
exit $failed
