#!/bin/sh
# Files that the documents name exist.
. "$(dirname -- "$0")/lib.sh"

roots='host|api|base|protocol|net|engine|windows|binding|runtime|cli|lua|scripts|tests|docs|cmake'
files README.md docs -- '*.md' | while read -r file; do
    # In backquotes, a path below a folder of ours; or the target of a relative link.
    awk -v file="$file" -v roots="$roots" '
        /^```/ { fenced = !fenced }
        fenced { next }
        {
            rest = $0
            while (match(rest, /`[^`]*`/)) {
                word = substr(rest, RSTART + 1, RLENGTH - 2)
                rest = substr(rest, RSTART + RLENGTH)
                sub(/:[0-9]+$/, "", word)
                if (word ~ "^(" roots ")/[A-Za-z0-9_./-]*$") print file, FNR, word
            }
            rest = $0
            while (match(rest, /\]\([^)#]+/)) {
                word = substr(rest, RSTART + 2, RLENGTH - 2)
                rest = substr(rest, RSTART + RLENGTH)
                if (word !~ /^[a-z]+:/) print file, FNR, word
            }
        }' "$file"
done | while read -r file line name; do
    [ -e "$name" ] || [ -e "host/$name" ] || [ -e "$(dirname "$file")/$name" ] ||
        echo "$file:$line: there is no $name"
done >"$findings"
finish "documents follow the code"
