#!/bin/sh
# Includes point downward only, along the rows below, and headers form no cycle.
. "$(dirname -- "$0")/lib.sh"

files host -- '*.c' '*.h' >"$findings.list"
# shellcheck disable=SC2046 # a list of files
[ ! -s "$findings.list" ] || awk '
    BEGIN {
        sees["base"] = "base"
        sees["api"] = "api base"
        sees["protocol"] = "protocol base"
        sees["net"] = "net api base"
        sees["engine"] = "engine net protocol api base"
        sees["windows"] = "windows net api base"
        sees["binding"] = "binding api base"
        sees["runtime"] = "runtime binding api base"
        sees["cli"] = "cli runtime binding api base"
    }
    function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
    FNR == 1 { split(FILENAME, part, "/"); layer = part[2]
               lua_side = layer ~ /^(binding|runtime|cli)$/
               if (!(layer in sees)) bad("no such layer: " layer) }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        if (/<(lua|lauxlib|lualib|lfs)(\.h|\.hpp)>/ && !lua_side) bad(layer " must not know Lua")
        next
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        target = quoted[2]
        if (target == "embedded.h") {
            if (!lua_side) bad(layer " must not know Lua")
            next
        }
        if (target ~ /^(lua|lauxlib|lualib)\.h$/) { bad("use <" target ">"); next }
        if (target !~ "^[a-z]+/[a-z0-9_]+\\.h$") {
            bad("include \"" target "\" is not <layer>/<file>.h")
            next
        }
        split(target, to, "/")
        if (index(" " sees[layer] " ", " " to[1] " ") == 0)
            bad(layer " must not see " to[1] " (\"" target "\")")
    }' $(cat "$findings.list") >"$findings"

# Which provider is below the contract is known to its own folder and to CMake alone: no line above
# names one, in code or comment.
files host/cli host/runtime host/binding lua scripts -- '*.c' '*.h' '*.lua' |
    tr '\n' '\0' | xargs -0 -r grep -HniE \
    'http\.?sys\b|\bwine\b|httpapi\.dll|\bengine\b|\bhost/windows\b' |
    sed 's/^\([^:]*:[0-9]*\):.*/\1: names a provider/' >>"$findings" || true

# Cycles: tsort names the files of a ring.
files host -- '*.h' | while read -r header; do
    awk -v from="${header#host/}" '
        /^[ \t]*#[ \t]*include[ \t]*"[a-z]+\// { split($0, q, "\""); print from, q[2] }' "$header"
done >"$findings.edges"
if ! tsort "$findings.edges" >/dev/null 2>"$findings.ring"; then
    sed -n 's/^tsort: \([^ ]*\.h\)$/host\/\1:1: in a ring of includes/p' "$findings.ring" \
        >>"$findings"
fi
finish "the order: cli > runtime > binding > engine|windows > net|protocol > api > base"
