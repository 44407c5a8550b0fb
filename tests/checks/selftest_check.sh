#!/bin/sh
# Each check passes on a small good tree and fails, naming the file, on one planted fault.
set -eu
checks=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$checks/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# A tree with one of everything, all of it as it should be.
plant_good_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/host/base" "$tree/host/api" "$tree/host/net" "$tree/host/protocol" \
        "$tree/host/engine" "$tree/host/binding" "$tree/host/runtime" "$tree/lua" "$tree/docs"
    cp "$root/.clang-format" "$root/.luacheckrc" "$tree/"
    cat >"$tree/host/base/thing.h" <<'C'
/* A thing: says exit(1) and sprintf( only in a comment. */
#pragma once

#include <stddef.h>

/* Returns n. */
size_t thing_count(size_t n);
C
    cat >"$tree/host/base/thing.c" <<'C'
#include "base/thing.h"

static const char *const thing_names[] = {"exit(0)", "strcpy(a, b)"};

size_t thing_count(size_t n)
{
    return thing_names[0][0] != '\0' ? n : 0;
}
C
    printf '#include "base/thing.h"\n' >"$tree/host/net/net_linux.c"
    printf '#pragma once\n#include "base/thing.h"\n' >"$tree/host/api/contract.h"
    printf '#pragma once\n#include "base/thing.h"\n' >"$tree/host/base/other.h"
    printf 'return {}\n' >"$tree/lua/m.lua"
    # shellcheck disable=SC2016
    printf 'See `host/base/thing.c` and [the loop](../lua/m.lua).\n' >"$tree/docs/a.md"
}

# must_pass CHECK: the tree as it is; a check that cannot do its work says something.
must_pass() {
    status=0
    output=$(CHECK_ROOT=$tree sh "$checks/$1_check.sh" 2>&1) || status=$?
    [ $status != 77 ] || return 0
    if [ $status != 0 ] || [ -n "$output" ]; then
        printf '%s does not pass a good tree:\n%s\n' "$1" "$output" >&2
        failures=$((failures + 1))
    fi
}

# must_fail CHECK TEXT FILE: stdin is appended to FILE; the check has to say TEXT about it.
must_fail() {
    plant_good_tree
    cat >>"$tree/$3"
    status=0
    output=$(CHECK_ROOT=$tree sh "$checks/$1_check.sh" 2>&1) || status=$?
    [ "$status" != 77 ] || return 0
    if [ "$status" = 0 ] || ! printf '%s' "$output" | grep -F -- "$3" | grep -qF -- "$2"; then
        printf '%s does not find "%s" in %s; it said:\n%s\n' "$1" "$2" "$3" "$output" >&2
        failures=$((failures + 1))
    fi
}

plant_good_tree
for check in layers headers compile banned platform length format luacheck globals words docs; do
    must_pass $check
done

must_fail layers 'base must not see api' host/base/thing.c <<'C'
#include "api/contract.h"
C
must_fail layers 'net must not see protocol' host/net/net_linux.c <<'C'
#include "protocol/url.h"
C
must_fail layers 'binding must not see engine' host/binding/url.c <<'C'
#include "engine/lifetime.h"
C
must_fail layers 'protocol must not see api' host/protocol/url.c <<'C'
# include "api/contract.h"
C
must_fail layers 'engine must not know Lua' host/engine/entry.c <<'C'
#include <lua.h>
C
must_fail layers 'is not <layer>/<file>.h' host/base/thing.c <<'C'
#include "../api/contract.h"
C
must_fail layers 'in a ring of includes' host/base/thing.h <<'C'
#include "base/other.h"
C
must_fail layers 'names a provider' host/runtime/exit.c <<'C'
/* Wine has no such call. */
C
must_fail layers 'names a provider' host/binding/url.c <<'C'
static const char *const library = "httpapi.dll";
C
must_fail layers 'names a provider' lua/m.lua <<'LUA'
-- HTTP.sys answers this by itself
LUA
must_fail headers 'does not compile alone' host/base/bare.h <<'C'
#pragma once
size_t bare_count(void);
C
must_fail compile 'clang is not content' host/base/thing.c <<'C'
static int unused_function(void)
{
    return 1;
}
C
must_fail banned 'sprintf is banned' host/base/thing.c <<'C'
void f(char *p); void f(char *p) { sprintf(p, "x"); }
C
must_fail banned 'exit is banned' host/base/thing.c <<'C'
void f(void); void f(void) { /* a comment */ exit(1); }
C
must_fail banned 'alloca is banned' host/base/thing.h <<'C'
#define ROOM(n) alloca (n)
C
must_fail platform 'platform test' host/base/thing.c <<'C'
#ifdef _WIN32
#endif
C
must_fail platform 'platform test' host/base/thing.h <<'C'
#  if defined(__linux__) && 1
#  endif
C
{
    printf 'int long_one(void)\n{\n'
    i=0
    while [ $i -lt 98 ]; do echo '    ;'; i=$((i + 1)); done
    printf '}\n'
} >"$tree.function"
must_fail length 'has 101 lines' host/base/thing.c <"$tree.function"
{ i=0; while [ $i -lt 801 ]; do echo '/* line */'; i=$((i + 1)); done; } >"$tree.function"
must_fail length 'the file has' host/base/thing.c <"$tree.function"
rm -f "$tree.function"
printf -- '-- %0103d\n' 0 >"$tree.text"
must_fail length '106 columns' lua/m.lua <"$tree.text"
rm -f "$tree.text"
must_fail format 'clang-formatted' host/base/thing.c <<'C'
int  f( void );
C
must_fail luacheck 'undefined' lua/m.lua <<'LUA'
undefined_global_call()
LUA
must_fail luacheck 'http' lua/n.lua <<'LUA'
http = {}
LUA
must_fail globals 'is a mutable global' host/base/thing.c <<'C'
int counter;
C
must_fail globals 'is a mutable global' host/net/net_linux.c <<'C'
int f(void);
int f(void)
{
    static int calls;
    return ++calls;
}
C
printf -- '-- see regi%s.org\n' stry.npmjs >"$tree.text"
must_fail words 'registry' lua/m.lua <"$tree.text"
rm -f "$tree.text"
must_fail docs 'there is no host/base/gone.c' docs/a.md <<'MD'
See `host/base/gone.c`.
MD
must_fail docs 'there is no ../lua/gone.lua' docs/a.md <<'MD'
See [x](../lua/gone.lua).
MD

[ $failures = 0 ] || exit 1
echo "every planted fault was found"
