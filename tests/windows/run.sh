#!/bin/sh
# Builds the Windows program and its tests, runs them under Wine, and counts. ./dev windows installs
# what this needs and calls it. The last line of stdout counts the cases; before it stand the
# skipped ones, by reason.
# MOONLATCH_NATIVE: the program of this system, whose closing is compared with.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$here"
out=build/windows/out
log=build/windows/tests.log

say() { printf '%s\n' "windows: $*" >&2; }

# Runs a command; shows its output only when it fails.
quietly() {
    mkdir -p build/windows
    "$@" >build/windows/step.log 2>&1 || {
        status=$?
        cat build/windows/step.log >&2
        return $status
    }
}

# What the run under Wine needs beside the build; prints why not.
lacks_for_wine() {
    if [ "$(id -u)" != 0 ]; then
        echo "only root can make the Wine root and enter it; run it as root"
    elif ! unshare --net --mount --pid --fork --propagation unchanged ip link set lo up \
        2>/dev/null; then
        echo "no network, mount and process namespace can be made; in a container, allow it" \
            "CAP_SYS_ADMIN (docker: --privileged)"
    elif ! sh tests/windows/setup.sh wine; then
        echo "the Wine root cannot be made"
    fi
}

# What each test printed in its last run, each line behind the test's number.
last_runs() {
    tr -d '\r' <"$log" | awk '
        /^ +Start +[0-9]+:/ { n = $2 + 0; if (n in text) again[n] = $3; text[n] = "" }
        /^[0-9]+: / { n = $1 + 0; text[n] = text[n] $0 "\n" }
        END { for (n in text) printf "%s", text[n]
              for (n in again) print "0: again " again[n] }'
}

count() { # count PATTERN: lines of a test's own output
    grep -cE "^[0-9]+: *($1)" "$log.last" || true
}

started=$(date +%s)
sh tests/windows/setup.sh sysroot || {
    say "the sources of Lua, LuaFileSystem and cmocka cannot be had or built (see above)"
    exit 1
}
quietly cmake --preset windows -DML_TESTS=ON
quietly cmake --build $out
say "built $out/moonlatch.exe ($(($(date +%s) - started)) s)"

why=$(lacks_for_wine)
if [ -n "$why" ]; then
    say "built, not run: $why"
    [ "${CI-}" != true ] || exit 1
    echo "0 passed, 0 failed, all skipped: $why"
    exit 0
fi

started=$(date +%s)
status=0
sh tests/windows/wine_session.sh ctest --test-dir $out --no-tests=error -V -j 1 \
    --repeat until-pass:3 >"$log" 2>&1 || status=$?
last_runs >"$log.last"
passed=$(count 'ok |\[       OK \]')
skipped_in_lua=$(count 'ok .*# skip: ')
passed=$((passed - skipped_in_lua))
skipped=$((skipped_in_lua + $(count 'skip ')))
failed=$(count 'FAIL|FAILED:|not ok|\[  FAILED  \] [a-z0-9_]+$')
if [ $status != 0 ]; then
    grep -E '^[0-9]+: *(FAIL|FAILED|not ok)|\*\*\*' "$log" >&2 || tail -n 40 "$log" >&2
    [ "$failed" -gt 0 ] || failed=1
fi
# Wine's http.sys misses a new connection now and then, when another is closed in that moment: a
# program that fails is run again, and both its failure and that are told.
if grep -q '^0: again ' "$log.last"; then
    echo "run again after a failure:"
    sed -n 's/^0: again /  /p' "$log.last"
    grep -E '^[0-9]+: *(FAIL|FAILED:|not ok)' "$log" | sed 's/^/  /'
fi
echo "skipped under Wine, by reason:"
sed -nE 's/^[0-9]+: *ok .*# skip: (.*)$/\1/p; s/^[0-9]+: *skip [a-zA-Z0-9_]+: (.*)$/\1/p;
             s/^[0-9]+: *skip ([^:]*)$/\1/p' "$log.last" |
    sort | uniq -c | sort -rn
say "ran under Wine ($(($(date +%s) - started)) s); all of it: $log"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -ge 40 ]
