#!/bin/sh
# Functions that no C file here calls: unbounded writes, hidden state, a way past the exit path.
. "$(dirname -- "$0")/lib.sh"

files host tests docs -- '*.c' '*.h' | while read -r file; do
    stripped "$file" | awk -v file="$file" '
        BEGIN {
            names = "strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|alloca|rand|srand|gets"
            names = names "|exit|quick_exit|setjmp|longjmp|tmpnam|mktemp"
            call = "(^|[^A-Za-z0-9_.>])(" names ")[ \t]*\\("
        }
        {
            rest = $0
            while (match(rest, call)) {
                name = substr(rest, RSTART, RLENGTH)
                gsub(/[^a-z_]/, "", name)
                printf "%s:%d: %s is banned\n", file, FNR, name
                rest = substr(rest, RSTART + RLENGTH)
            }
        }'
done >"$findings"
finish "use the bounded, reentrant relative; only main returns from the process"
