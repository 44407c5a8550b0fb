#!/bin/sh
# User-space instructions a request, counted by callgrind, beside the figures in instructions.txt:
# fails when one has grown by more than 5 %. ctest-timeout: 300
#
# MOONLATCH=PROGRAM instructions.sh STEADY TOOLCHAIN [record]
#
# STEADY is tests/bench/steady.c, built. What is counted depends on compiler and Lua; TOOLCHAIN
# names them, and with others than the recorded ones the check is skipped. On epoll, which every
# machine has. `record` writes the file anew.
. "$(dirname -- "$0")/../e2e/lib.sh"

steady=$1
toolchain=$2
recorded=$root/tests/bench/instructions.txt
first=1000 # requests of the run that is taken off: start, loading, the first of everything
more=5000
allowed=5 # percent

skip() {
    say "skipped: $*"
    exit 77
}

# total NAME REQUESTS DEPTH KIND SCRIPT: instructions of the server's whole life.
total() {
    start --tool=callgrind "--callgrind-out-file=$work/counted" "$tested" \
        run "$root/tests/bench/moonlatch/$5" -p 0 --loop epoll
    "$steady" "$port" "$2" 1 "$3" "$4" || fail "$1: the load failed"
    stop INT
    expect_code 0
    sed -n 's/^totals: //p' "$work/counted"
}

# count NAME DEPTH KIND SCRIPT: prints instructions a request.
count() {
    low=$(total "$1" "$first" "$2" "$3" "$4")
    high=$(total "$1" $((first + more)) "$2" "$3" "$4")
    [ -n "$low" ] && [ -n "$high" ] || fail "$1: callgrind wrote no total"
    say $(((high - low) / more))
}

command -v valgrind >/dev/null || skip "valgrind is not installed"
valgrind --tool=callgrind --callgrind-out-file=/dev/null true 2>/dev/null ||
    skip "valgrind cannot run here"
[ "${3-}" = record ] || grep -qxF "toolchain $toolchain" "$recorded" ||
    skip "the figures are recorded for another toolchain than $toolchain"
tested=$program
program=valgrind

{
    say "# Instructions a request, written by instructions.sh; docs/performance.md says how."
    say "toolchain $toolchain"
    say "hello $(count hello 1 hello hello.lua)"
    say "user $(count user 1 user user.lua)"
    say "echo $(count echo 1 echo echo.lua)"
    say "pipe16 $(count pipe16 16 hello hello.lua)"
} >"$work/now"
! grep -q FAILED "$work/now" || fail "$(grep FAILED "$work/now")"

if [ "${3-}" = record ]; then
    cp "$work/now" "$recorded"
    cat "$recorded"
    exit 0
fi
awk -v allowed="$allowed" '
    /^#/ || $1 == "toolchain" { next }
    NR == FNR { was[$1] = $2; next }
    {
        change = 100 * ($2 - was[$1]) / was[$1]
        verdict = change > allowed ? "FAILED" : change < -allowed ? "ok, record the new one" : "ok"
        printf "%-8s %6d, recorded %6d: %+.1f %% %s\n", $1, $2, was[$1], change, verdict
        bad += change > allowed
    }
    END { exit bad > 0 }' "$recorded" "$work/now"
