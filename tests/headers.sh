#!/bin/sh
# Each public header compiles alone, as strict C11 and as C++: a header is complete, pedantic and
# usable from either language.
# usage: headers.sh ROOT CC [CXX]
set -u
root=$1 cc=$2 cxx=${3-}
failed=0 count=0
for header in "$root"/include/pts/*.h; do
    count=$((count + 1))
    name=${header#"$root"/include/}
    unit="#include \"$name\"
typedef int nothing_else;"
    printf '%s\n' "$unit" | $cc -I"$root/include" -x c -std=c11 -Wall -Wextra -pedantic -Werror \
        -Wstrict-prototypes -fsyntax-only - || { echo "$name: not C11 by itself"; failed=1; }
    [ -n "$cxx" ] || continue
    printf '%s\n' "$unit" | $cxx -I"$root/include" -x c++ -std=c++11 -Wall -Wextra -pedantic \
        -Werror -fsyntax-only - || { echo "$name: not C++ by itself"; failed=1; }
done
echo "$count headers"
[ "$count" -gt 0 ] || failed=1
exit $failed
