# Shared by the end-to-end tests: sourced first. Starts the program, asks it with curl, ends it,
# and reads what it said. MOONLATCH names the executable. A failed check prints what the program
# said and ends the test with 1.
# shellcheck shell=sh
set -eu
export LC_ALL=C
# shellcheck disable=SC2034 # used by the tests
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
program=${MOONLATCH:?set MOONLATCH to the executable}
work=$(mktemp -d)
server='' # process id of the running program
url='' # of the ready line, with the loopback address
port=''
code='' # exit code of the last program that was waited for
served=0

clean_up() {
    status=$?
    trap - EXIT INT TERM
    for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null || true; done
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*"; }

fail() {
    say "FAILED: $*"
    for file in "$work"/err "$work"/out; do
        [ ! -s "$file" ] || { say "--- $file"; tail -n 60 "$file"; }
    done
    exit 1
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds.
until_true() {
    tries=$(($1 * 50))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.02
    done
}

is_ready_or_gone() { grep -q '^ready ' "$work/out" || ! kill -0 "$server" 2>/dev/null; }

# MOONLATCH_TEST_LOOP names the back end that launch gives to the program; CTest sets it.
if [ -n "${MOONLATCH_TEST_LOOP:-}" ]; then
    "$program" -p 0 --loop "$MOONLATCH_TEST_LOOP" -e 'http.stop()' 2>"$work/err" >/dev/null || {
        say "skipped: $(head -n 1 "$work/err")"
        exit 77
    }
fi

# launch ARGS...: starts the program without waiting for it.
launch() {
    : >"$work/out"
    : >"$work/err"
    "$program" "$@" ${MOONLATCH_TEST_LOOP:+--loop "$MOONLATCH_TEST_LOOP"} \
        >"$work/out" 2>"$work/err" &
    server=$!
}

# start ARGS...: starts the program and waits for its ready line; sets server, url, port.
start() {
    launch "$@"
    until_true 20 is_ready_or_gone || fail "no ready line in 20 s"
    url=$(sed -n 's/^ready \(http[^ ]*\) .*/\1/p' "$work/out")
    [ -n "$url" ] || { wait_end; fail "it ended with $code before it was ready"; }
    port=${url##*:}
    port=${port%%/*}
    url=http://127.0.0.1:$port
    served=$((served + 1))
}

# wait_end: waits for the program's end; sets code.
wait_end() {
    code=0
    wait "$server" || code=$?
    server=
}

# stop SIGNAL: sends it and waits for the end.
stop() {
    kill "-$1" "$server"
    wait_end
}

# expect_code N: of the last program.
expect_code() { [ "$code" = "$1" ] || fail "exit code $code, wanted $1"; }

# ask ARGS...: curl with the status as last line of its output.
ask() { curl -sS --max-time 30 -w '\n%{http_code}\n' "$@"; }

# expect_answer STATUS TEXT ARGS...: asks; body and status must be these.
expect_answer() {
    wanted_status=$1 wanted=$2
    shift 2
    got=$(ask "$@") || fail "curl $* ended with $?"
    got_status=$(printf '%s' "$got" | tail -n 1)
    got=$(printf '%s' "$got" | sed '$d')
    [ "$got_status" = "$wanted_status" ] ||
        fail "$*: status $got_status, wanted $wanted_status: $got"
    case $got in
    "$wanted" | "$wanted
") ;;
    *) fail "$*: got '$got', wanted '$wanted'" ;;
    esac
}

# expect_err PATTERN: stderr of the last program has such a line.
expect_err() { grep -Eq -- "$1" "$work/err" || fail "stderr has no line like: $1"; }

# expect_closed [COUNT]: the lines of `--trace close` on stderr tell the documented order: URLs,
# groups, sessions, queues, HttpTerminate last, each URL once (objects made at one place share their
# name), every result 0 (closing twice has none); at least COUNT objects.
expect_closed() {
    grep '^close ' "$work/err" >"$work/trace" || fail "no line of --trace close"
    awk -v least="${1:-4}" '
        BEGIN {
            rank["HttpRemoveUrlFromUrlGroup"] = 1; rank["HttpCloseUrlGroup"] = 2
            rank["HttpCloseServerSession"] = 3; rank["HttpCloseRequestQueue"] = 4
            rank["HttpTerminate"] = 5
        }
        { object = $0; sub(/^close [^ ]+ /, "", object); sub(/ [^ ]+$/, "", object) }
        $2 == "HttpCancelHttpRequest" && $NF == 1229 { next } # its client left at that moment
        $NF != 0 { print "not 0: " $0; bad = 1 }
        $2 in rank && rank[$2] < last { print "out of order: " $0; bad = 1 }
        $2 in rank { last = rank[$2]; if (last < 5) closed++ }
        !($2 in rank) && last > 0 { print "after the closing began: " $0; bad = 1 }
        rank[$2] == 1 && seen[object]++ { print "twice: " $0; bad = 1 }
        END {
            if (last != 5) { print "HttpTerminate is not the last line"; bad = 1 }
            if (closed < least) { print closed + 0 " closed, wanted " least; bad = 1 }
            exit bad
        }' "$work/trace" || fail "the order of closing (above)"
}

# free_port: a port that is free now, on stdout.
free_port() {
    "$program" -p 0 -e 'http.add_url("/", function() end) http.spawn(function() http.stop() end)' \
        2>/dev/null | sed -n 's/^ready http[^ ]*:\([0-9]*\).*/\1/p'
}

# Resident memory of the program now and at most, in KiB.
memory_now() { awk '/^VmRSS:/ { print $2 }' "/proc/$server/status"; }
memory_peak() { awk '/^VmHWM:/ { print $2 }' "/proc/$server/status"; }

# finish: the last line of a test.
finish() { say "ok: $1"; }
