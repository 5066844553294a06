#!/bin/sh
# How much C a program is compiled from, as C: a file counts once, whatever is made of it.
# usage: audit_sources.sh OUT.c SOURCE...
set -eu
out=$1
shift
files=$(printf '%s\n' "$@" | sort -u)
lines=$(cat $files | wc -l)
cat >"$out" <<END
#include "cli/commands.h"

const unsigned cli_source_files = $(echo "$files" | wc -l), cli_source_lines = $lines;
END
