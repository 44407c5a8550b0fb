#!/bin/sh
# Runs one Lua test in the Windows program under Wine, telling it what the provider lacks.
# usage: lua_test.sh MOONLATCH.exe FOLDER_OF_CURL x_test.lua
set -eu
wine=$(dirname -- "$0")/wine.sh
program=$1 tools=$2 script=$3
arguments=$(sed -n 's/^-- arguments: //p' "$script")
lacks=$(sh "$wine" "$program" version --json | tr ',' '\n' |
    sed -n 's/.*"\([a-z0-9_]*\)":"no: .*/\1/p' | paste -s -d , -)
WINEPATH=$(printf 'Z:%s' "$tools" | tr / '\\')
export WINEPATH
# shellcheck disable=SC2086 # words on purpose
exec sh "$wine" "$program" run "$script" -p 0 --drain 2 --set "lacks=$lacks" $arguments
