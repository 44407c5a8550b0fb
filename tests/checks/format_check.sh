#!/bin/sh
# C files are as clang-format leaves them.
. "$(dirname -- "$0")/lib.sh"

command -v clang-format >/dev/null || { echo "clang-format is not here"; exit 77; }
# shellcheck disable=SC2016
files host tests docs -- '*.c' '*.h' |
    each sh -c 'clang-format --dry-run -Werror "$0" 2>&1 | grep "error:" | head -n 1; exit 0' |
    sed "s|^$PWD/||" >"$findings"
finish "clang-format -i <file>"
