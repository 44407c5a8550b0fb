#!/bin/sh
# Runs one Lua test in the program: sh tests/lua/run.sh tests/lua/x_test.lua
# MOONLATCH names the executable; a line "-- arguments: ..." in the test adds to the command line.
set -eu
program=${MOONLATCH:?set MOONLATCH to the executable}
loop=${MOONLATCH_TEST_LOOP:+--loop $MOONLATCH_TEST_LOOP} # set by CTest: the test once more on it
if [ -n "$loop" ]; then
    # shellcheck disable=SC2086 # two words
    why=$("$program" -p 0 $loop -e 'http.stop()' 2>&1 >/dev/null) || {
        printf 'skipped: %s\n' "$why"
        exit 77
    }
fi
arguments=$(sed -n 's/^-- arguments: //p' "$1")
# shellcheck disable=SC2086 # words on purpose
exec "$program" run "$1" -p 0 --drain 2 $arguments $loop
