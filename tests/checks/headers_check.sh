#!/bin/sh
# Each header compiles by itself, with each compiler that is here.
. "$(dirname -- "$0")/lib.sh"

flags=$(c_flags)
embedded=$findings.embedded
mkdir -p "$embedded"
cmake -D ROOT=lua -D OUT="$embedded" -D FILES= -P "$checks_dir/../../cmake/embed.cmake"
files host tests/support tests/contract -- '*.h' | grep -v '_windows\.h$' >"$findings.list" || true
for compiler in $(compilers); do
    # shellcheck disable=SC2016,SC2086
    each sh -c '
        header=$2
        if ! printf "#include \"%s\"\n" "$PWD/$header" |
            $1 -I"$0" -fsyntax-only -x c - >"$0/$$.log" 2>&1; then
            sed -n "s|^$PWD/||; /error:/p" "$0/$$.log" | head -n 3
            echo "$header:1: does not compile alone (${1%% *})"
        fi
        exit 0' "$embedded" "$compiler $flags" <"$findings.list" >>"$findings"
done
finish "a header includes what it needs"
