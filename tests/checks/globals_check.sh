#!/bin/sh
# No mutable variable outlives a call, but the process records of engine/lifetime.c and cli/, and
# what the contract keeps for each thread (its loop, its last error).
. "$(dirname -- "$0")/lib.sh"

flags=$(c_flags)
objects=$findings.objects
mkdir -p "$objects"
cmake -D ROOT=lua -D OUT="$objects" -D FILES= -P "$checks_dir/../../cmake/embed.cmake"
# Not position independent: constant tables of pointers then count as constant. The optimiser
# leaves nothing out that is used, so -O0 shows all.
# shellcheck disable=SC2016
files host -- '*.c' | grep -vE '_windows\.c$|^host/windows/|^host/cli/|^host/engine/lifetime\.c$' |
    each sh -c '
        object=$0/$$.o
        $1 -I"$0" -w -O0 -fno-pic -c "$2" -o "$object" 2>/dev/null ||
            { echo "$2:1: does not compile"; exit 0; }
        nm -f sysv "$object" | awk -F"[| ]+" -v file="$2" "
            \$3 ~ /^[bBdDC]\$/ && \$4 != \"TLS\" {
                printf \"%s:1: %s is a mutable global\n\", file, \$1 }"
        exit 0' "$objects" "gcc $flags" >"$findings" || true
finish "put the state into a struct that its owner holds"
