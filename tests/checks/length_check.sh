#!/bin/sh
# Functions of at most 100 lines, files of at most 800, lines of at most 100 columns.
. "$(dirname -- "$0")/lib.sh"

# A function: from the line of its opening brace in column 1 to the closing one in column 1.
files host tests docs -- '*.c' '*.h' | while read -r file; do
    stripped "$file" | awk -v file="$file" -v lines_max=800 -v function_lines_max=100 '
        /^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); at = FNR }
        /^{/ || (/^[A-Za-z_].*\).*{[ \t]*$/) { open = at }
        /^}/ && open {
            if (FNR - open + 1 > function_lines_max)
                printf "%s:%d: %s has %d lines\n", file, open, name, FNR - open + 1
            open = 0
        }
        END {
            if (FNR > lines_max && file != "host/api/httpapi.h")
                printf "%s:%d: the file has %d lines\n", file, FNR, FNR
        }'
done >"$findings"
files host tests docs lua scripts cmake dev CMakeLists.txt .ci -- \
    '*.c' '*.h' '*.lua' '*.sh' '*.awk' '*.cmake' dev CMakeLists.txt run |
    grep -v '^tests/fuzz/corpus/' | while read -r file; do
    { grep -nE '^.{101,}' "$file" || true; } | while IFS=: read -r line text; do
        echo "$file:$line: ${#text} columns"
    done
done >>"$findings"
finish "one idea a function, 100 columns a line"
