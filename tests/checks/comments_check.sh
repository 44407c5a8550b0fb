#!/bin/sh
# Counts function declarations in headers without a comment right above. A hint, never a failure:
# a group of functions may share one comment.
. "$(dirname -- "$0")/lib.sh"

files host -- '*.h' | grep -v '^host/api/platform_' | while read -r file; do
    awk -v file="$file" '
        /^[A-Za-z_].*\(/ && !/^(typedef|static|#|struct [a-z_]+ {|[A-Z_]+\()/ {
            total++
            if (previous !~ /\*\/[ \t]*$/ && previous !~ /;[ \t]*$/) bare++
        }
        { if ($0 != "") previous = $0; else previous = "" }
        END { if (bare) printf "%s: %d of %d declarations without a comment\n", file, bare, total }
        ' "$file"
done
exit 0
