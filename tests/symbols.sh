#!/bin/sh
# What libpts.a gives to the linker and what it asks for. The library never prints, never exits,
# never aborts and never reads the environment: it does not even refer to what would.
# usage: symbols.sh NM LIBPTS
set -u
nm=$1 library=$2
failed=0

given=$($nm -gA --defined-only "$library" 2>/dev/null |
    sed -n 's/.*:src_\([a-z]*\)_[^:]*\.o:.* \([^ ]*\)$/\1 \2/p' | sort -u)
[ "$(echo "$given" | wc -l)" -gt 20 ] || { echo "$library: no symbols read"; exit 1; }
foreign=$(echo "$given" | grep -vE ' pts_')
if [ -n "$foreign" ]; then
    # A user's own function of that name would not link.
    echo "$library: expected every global symbol to begin with pts_, got (room, name):"
    echo "$foreign"
    failed=1
fi

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
