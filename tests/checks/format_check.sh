#!/bin/sh
# C files are as clang-format leaves them.
. "$(dirname -- "$0")/lib.sh"

command -v clang-format >/dev/null || { echo "clang-format is not here"; exit 77; }
files host tests docs -- '*.c' '*.h' |
    xargs -r -n 25 -P "$(nproc)" clang-format --dry-run -Werror 2>&1 |
    awk -F: '/error:/ && !seen[$1]++' | sed "s|^$PWD/||" >"$findings" || true
finish "clang-format -i <file>"
