#!/bin/sh
# Each header compiles by itself, with the compiler that builds it.
. "$(dirname -- "$0")/lib.sh"

flags=$(c_flags)
embedded=$findings.embedded
mkdir -p "$embedded"
cmake -D ROOT=lua -D OUT="$embedded" -D FILES= -P "$checks_dir/../../cmake/embed.cmake"
files host tests/support tests/contract -- '*.h' |
    grep -vE '_windows\.h$|^(host|tests)/windows/' >"$findings.list" || true
# shellcheck disable=SC2016
each sh -c '
    header=$2
    if ! printf "#include \"%s\"\n" "$PWD/$header" |
        $1 -I"$0" -fsyntax-only -x c - >"$0/$$.log" 2>&1; then
        sed -n "s|^$PWD/||; /error:/p" "$0/$$.log" | head -n 3
        echo "$header:1: does not compile alone"
    fi
    exit 0' "$embedded" "gcc $flags" <"$findings.list" >"$findings"
finish "a header includes what it needs"
