#!/bin/sh
# Which room includes which. ARCHITECTURE.md draws it; this holds it.
# usage: layering.sh ROOT
set -u
cd "$1" || exit 1

# room | rooms whose private headers (src/ROOM/*.h) it may include | whose public ones (pts/*.h);
# base and the room itself are always allowed. A row may name only rooms above it.
rules() {
    cat <<'END'
base||
kernels||
image||
weights||
curve||
metrics||
data|metrics|image metrics
plot||
encoders|kernels|weights image
store||data
nn|kernels|
learn|kernels nn|nn curve weights image encoders data
segment|kernels nn|image weights metrics encoders
ranks||
collect||weights image encoders metrics data store segment ranks
forecast||image weights curve plot encoders data learn
study|nn learn forecast|nn learn weights encoders data metrics forecast
web||image weights curve encoders forecast learn study data
END
}

# The public headers that are not called as their room is.
room_of_public() {
    case $1 in
    cpu | file) echo base ;;
    gemm) echo kernels ;;
    encoder) echo encoders ;;
    lm) echo curve ;;
    mlp) echo nn ;;
    hash) echo weights ;;
    *) echo "$1" ;;
    esac
}

includes() {
    sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$1"
}

failed=0
wrong() {
    echo "$1: may not include \"$2\""
    failed=1
}

has() {
    case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

table="
$(rules)
"
newline='
'

check_engine_file() { # FILE ROOM
    row=${table#*"$newline$2|"}
    [ "$row" != "$table" ] || { echo "$1: no rule for room $2"; failed=1; return; }
    row=${row%%"$newline"*}
    private=${row%%|*} public=${row#*|}
    for header in $(includes "$1"); do
        folder=${header%%/*} name=${header##*/}
        case $header in
        pts/*) has "$(room_of_public "${name%.h}")" "base $2 $public" || wrong "$1" "$header" ;;
        */*) has "$folder" "base $2 $private" || wrong "$1" "$header" ;;
        *) wrong "$1" "$header (without its room)" ;;
        esac
    done
}

# Everything around the engine sees include/pts, the toolbox of base, the command line's common part
# and its own folder.
check_outer_file() { # FILE
    for header in $(includes "$1"); do
        case $header in
        pts/* | cli/* | base/*) ;;
        */*) wrong "$1" "$header" ;;
        *) [ -f "$(dirname "$1")/$header" ] || wrong "$1" "$header" ;;
        esac
    done
}

seen=
for row in $(rules | tr ' ' ','); do
    for above in $(echo "$row" | cut -d'|' -f2- | tr '|,' '  '); do
        has "$above" "$seen" || { echo "the rule of ${row%%|*} names $above, which is not above it"; failed=1; }
    done
    seen="$seen ${row%%|*}"
done

files=0
for file in src/*/*.[ch] include/pts/*.h; do
    files=$((files + 1))
    case $file in
    include/*) check_engine_file "$file" "$(room_of_public "$(basename "$file" .h)")" ;;
    src/cli/*) check_outer_file "$file" ;;
    *) room=${file#src/} && check_engine_file "$file" "${room%%/*}" ;;
    esac
done
for file in $(find tools bench -name '*.[ch]' 2>/dev/null); do
    files=$((files + 1))
    check_outer_file "$file"
done
echo "$files files"
[ "$files" -gt 20 ] || failed=1
exit $failed
