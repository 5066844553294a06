#!/bin/sh
# clang-tidy (.clang-tidy) over every source of src, tools and bench finds nothing, as each is
# compiled. Minutes of one core.
# usage: analyse.sh ROOT BUILD
set -u
root=$1 build=$2
command -v clang-tidy >/dev/null || { echo "clang-tidy: not found (tools/packages names it)"; exit 1; }
cd "$build" || exit 1

files=$(sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' compile_commands.json | while read -r file; do
    path=$(realpath --relative-to="$root" "$file")
    case $path in src/* | tools/* | bench/*) echo "$file" ;; esac
done | sort -u)
count=$(echo "$files" | wc -l)
[ "$count" -gt 20 ] || { echo "no sources found"; exit 1; }
# A process a file: of several in one, clang 14 takes va_lists for uninitialised. What goes to stderr
# are counts of warnings in system headers.
echo "$files" | nice xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p . 2>/dev/null || {
    echo "clang-tidy: found the above in $count files"
    exit 1
}
echo "$count files"
