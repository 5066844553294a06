#!/bin/sh
# clang-tidy (.clang-tidy) over every source of src, tools and bench finds nothing, as each is first
# compiled. Minutes of one core.
# usage: analyse.sh ROOT BUILD
set -u
root=$1 build=$2
command -v clang-tidy >/dev/null || { echo "clang-tidy: not found (tools/packages names it)"; exit 1; }
cd "$build" || exit 1

# Each source once, though tests compile some again: of several in one process, clang 14 takes
# va_lists for uninitialised.
once=$(mktemp -d) || exit 1
trap 'rm -rf "$once"' EXIT
awk -F '"' '/^  {/ { one = "" } { one = one $0 "\n" } $2 == "file" { file = $4 }
    /^  }/ && !seen[file]++ { sub(/,\n$/, "\n", one); printf "%s%s", comma, one; comma = "," }
    BEGIN { print "[" } END { print "]" }' compile_commands.json >"$once/compile_commands.json"

files=$(sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' "$once/compile_commands.json" |
    while read -r file; do
        path=$(realpath --relative-to="$root" "$file")
        case $path in src/* | tools/* | bench/*) echo "$file" ;; esac
    done)
count=$(echo "$files" | wc -l)
[ "$count" -gt 20 ] || { echo "no sources found"; exit 1; }
# A process a file. What goes to stderr are counts of warnings in system headers.
echo "$files" | nice xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p "$once" 2>/dev/null || {
    echo "clang-tidy: found the above in $count files"
    exit 1
}
echo "$count files"
