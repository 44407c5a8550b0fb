#!/bin/sh
# Each C file is without warnings for the compiler that does not build it: clang, or gcc.
. "$(dirname -- "$0")/lib.sh"

command -v clang >/dev/null || { echo "clang is not here"; exit 77; }
flags="$(c_flags) $(pkg-config --cflags cmocka 2>/dev/null || true)"
embedded=$findings.embedded
mkdir -p "$embedded"
cmake -D ROOT=lua -D OUT="$embedded" -D FILES= -P "$checks_dir/../../cmake/embed.cmake"
# Defined by the build for some folders; any text does.
defines='-DML_VERSION="0" -DML_TEST_ROOT="."'
# shellcheck disable=SC2016,SC2086
files host tests docs -- '*.c' | grep -vE '_windows\.c$|^(host|tests)/windows/' |
    each sh -c '
        $1 -I"$0" -fsyntax-only "$2" >"$0/$$.log" 2>&1 || {
            grep -E "(error|warning):" "$0/$$.log" | head -n 5
            echo "$2:1: clang is not content"
        }
        exit 0' "$embedded" "clang $flags $defines" >"$findings" || true
finish "gcc and clang both compile without a warning"
