#!/bin/sh
# Lua files without warnings.
. "$(dirname -- "$0")/lib.sh"

command -v luacheck >/dev/null || { echo "luacheck is not here"; exit 77; }
files lua scripts tests/lua tests/e2e tests/bench -- '*.lua' >"$findings.list"
[ -s "$findings.list" ] || exit 0
# shellcheck disable=SC2046
luacheck --no-color --codes --formatter plain -q --config .luacheckrc \
    $(cat "$findings.list") >"$findings" || true
finish "see .luacheckrc"
