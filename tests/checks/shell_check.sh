#!/bin/sh
# Shell scripts without warnings; skipped where shellcheck is not installed.
. "$(dirname -- "$0")/lib.sh"

command -v shellcheck >/dev/null || { echo "shellcheck is not here"; exit 77; }
files tests dev .ci -- '*.sh' dev run | tr '\n' '\0' |
    xargs -0 -r shellcheck -x -P SCRIPTDIR -f gcc -S warning >"$findings" || true
finish "shellcheck names a page for each code"
