#!/bin/sh
# The engine alone is small enough to read, is linked with nothing but OpenBLAS, LAPACKE and the
# C library's own, and answers.
# usage: minimal.sh BUILD ROOT
set -u
build=$1 root=$2
failed=0
most=13000

wrong() {
    echo "$*"
    failed=1
}

# The count of --audit is of a list in meson.build; this one is of what was compiled.
program=$(sed -n 's/^ *"output": "\(libpts.*\|src.*\|ptsinfer.*\)".*/\1/p' "$build/compile_commands.json" | wc -l)
[ "$program" -gt 50 ] || wrong "compile_commands.json: expected the sources of ptsinfer, got $program"
lines=$(awk -F'"' '
    /"file":/ { file = $4 }
    /"output":/ { if ($4 !~ /^tests/ && !seen[file]++) print file }' "$build/compile_commands.json" |
    grep -v '\.\./tests/' | (cd "$build" && xargs cat) | wc -l)
[ "$lines" -le $most ] || wrong "the engine alone: expected at most $most lines of C, got $lines"

audit=$("$build/ptsinfer" --audit) || wrong "ptsinfer --audit: exit code $?"
told=$(echo "$audit" | sed -n 's/^sources *\([0-9]*\) lines.*/\1/p')
# Two of its files are made by the build: where it lies, and this count.
[ -n "$told" ] && [ "$lines" -ge "$told" ] && [ "$lines" -le $((told + 20)) ] ||
    wrong "ptsinfer --audit: expected about $lines lines, got '$told'"
foreign=$(echo "$audit" | sed -n 's/^  //p' |
    grep -vE 'linux-(vdso|gate)|/lib(m|c|pthread|gcc_s|gfortran|quadmath|openblas|lapacke|lapack|blas|tmglib)\.so|/ld-linux')
[ -z "$foreign" ] || wrong "ptsinfer is linked with" $foreign

answer=$("$build/ptsinfer" curve --params 0.02,1.2,180,0.71 --target 0.5)
[ "$answer" = "358.474 images reach mAP 0.5" ] || wrong "ptsinfer curve: got '$answer'"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'n,map\n4,0.08\n16,0.17\n64,0.29\n' >"$folder/pilot.csv"
# By every build: README's and docs/questions.md's own figures.
answer=$(PTS_WEIGHTS=$root/weights "$build/ptsinfer" predict --target 0.3 --prior builtin \
    --pilot "$folder/pilot.csv" | head -n 1)
[ "$answer" = "mAP 0.3 takes about 134 labelled images (80 % interval: 40 or more; its upper end is out of reach)." ] ||
    wrong "ptsinfer predict: got '$answer'"

for option in --labels --json; do
    "$build/ptsinfer" predict --target 0.3 $option "$folder" 1.jpg 2.jpg 3.jpg 4.jpg 2>"$folder/err"
    [ $? -ne 0 ] && grep -q 'built without\|expected' "$folder/err" || wrong "$option: expected a refusal"
done
echo "$lines lines of C"
exit $failed
