#!/bin/sh
# The program from outside, under Wine: what scripts answer, how they close, what is refused.
# Each closing is compared with the native program's where MOONLATCH_NATIVE names it.
# usage: program_test.sh MOONLATCH.exe      (inside wine_session.sh)
set -eu
wine=$(dirname -- "$0")/wine.sh
program=$1
work=$(mktemp -d)
inside=$(mktemp -d build/windows/program_test.XXXXXX) # a folder that the program sees too
server=
cases=0

fail() {
    echo "FAILED: $*"
    cat "$work/out" "$work/err"
    exit 1
}

clean_up() {
    status=$?
    trap - EXIT
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$work" "$inside"
    exit $status
}
trap clean_up EXIT

# launch COMMAND...: starts it in the background and waits for the ready line; sets server, url.
launch() {
    : >"$work/out"
    "$@" >"$work/out" 2>"$work/err" &
    server=$!
    tries=300
    until grep -q '^ready' "$work/out"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] && kill -0 "$server" 2>/dev/null || fail "not ready: $*"
        sleep 0.1
    done
    url=$(sed -n 's/^ready \(http[^ ]*\) .*/\1/p' "$work/out")
}

start() { launch sh "$wine" "$program" run "$@"; }

# The loader becomes the program, so its process id is the server's.
stop() {
    kill -INT "$server"
    code=0
    wait "$server" || code=$?
    server=
    [ $code = 0 ] || fail "exit code $code"
}

# expect TEXT URL [CURL OPTIONS...]: what curl prints. Handled by length, one connection at a time.
expect() {
    wanted=$1
    shift
    got=$(curl -sS --max-time 15 "$@") || fail "curl $*: $?"
    [ "$got" = "$wanted" ] || fail "curl $*: got '$got', wanted '$wanted'"
    cases=$((cases + 1))
    echo "ok   $*"
}

# closing FILE: the lines of --trace close without carriage returns.
closing() { tr -d '\r' <"$work/err" | grep '^close ' >"$1" || fail "no trace"; }

# kinds FILE SKIPPED: the calls alone. Set aside: what the provider skips by name, listed in the
# second file, and the URLs of a kind that it refuses. Hidden groups are in no trace.
kinds() {
    grep -v -F '[::1]' "$1" | cut -d ' ' -f 2 | grep -v -x -F -f "$2" || fail "an empty trace"
}

# same_closing NAME ARGUMENTS...: stops the server; every call 0, and the kinds of the native one.
same_closing() {
    name=$1
    shift
    stop
    closing "$work/windows.trace"
    awk '$NF != 0 && !/ skipped: / { bad = 1 } END { exit bad }' "$work/windows.trace" ||
        fail "a call failed while closing"
    sed 's/^/     /' "$work/windows.trace"
    sed -n 's/^close \([^ ]*\) .* skipped: ..*/\1/p' "$work/windows.trace" >"$work/skipped"
    kinds "$work/windows.trace" "$work/skipped" >"$work/windows.kinds"
    if [ -n "${MOONLATCH_NATIVE-}" ]; then
        launch "$MOONLATCH_NATIVE" run "$@"
        stop
        closing "$work/native.trace"
        kinds "$work/native.trace" "$work/skipped" >"$work/native.kinds"
        diff "$work/native.kinds" "$work/windows.kinds" || fail "$name: other kinds"
    else
        echo "skip $name, the same closing: no native program to compare with"
    fi
    cases=$((cases + 1))
    echo "ok   $name: closed in order"
}

start scripts/hello.lua -p 0 --trace close
expect 'hello, world' "$url/"
expect 'hello, moon' "$url/hello/?name=moon"
same_closing hello scripts/hello.lua -p 0 --trace close

start scripts/routes.lua -p 0 --trace close
expect 'try /users, /users/7, /sum/3/4 or /hello/you' "$url/"
expect '{"error":"no user 99"}' "$url/users/99"
expect '201' -o "$work/body" -w '%{http_code}' -X PUT -d '{"name":"Ada"}' "$url/users/8"
expect '7' "$url/sum/3/4"
expect '404' -o "$work/body" -w '%{http_code}' "$url/nobody/at/all"
expect '405' -o "$work/body" -w '%{http_code}' -X DELETE "$url/users"
same_closing routes scripts/routes.lua -p 0 --trace close

start scripts/ticks.lua -p 0 --trace close
curl -sSN --max-time 15 "$url/ticks/?count=3&every=0.05" >"$work/body" || fail "ticks: $?"
grep -q 'data: ' "$work/body" || fail "ticks: $(cat "$work/body")"
cases=$((cases + 1))
echo "ok   ticks: a stream, framed by the host"
same_closing ticks scripts/ticks.lua -p 0 --trace close

start scripts/lifetimes.lua --set port=18080 --set plain=1 --trace close
expect 'open until somebody closes it' "http://localhost:18080/api/"
same_closing lifetimes scripts/lifetimes.lua --set port=18080 --set plain=1 --trace close

# ctl QUESTION...: asks the server; what it prints is in the file answer, its exit code in $code.
ctl() {
    code=0
    sh "$wine" "$program" ctl "$@" >"$work/answer.crlf" 2>&1 || code=$?
    tr -d '\r' <"$work/answer.crlf" >"$work/answer"
}

# answered CODE LINE: what the last one said.
answered() {
    [ $code = "$1" ] && grep -q "$2" "$work/answer" ||
        fail "ctl: $code instead of $1, no '$2' in: $(cat "$work/answer")"
    cases=$((cases + 1))
    echo "ok   ctl: $2"
}

start scripts/hello.lua -p 0
pid=$(tr -d '\r' <"$work/out" | sed -n 's/^ready .* pid=\([0-9]*\).*/\1/p')
ctl status "$pid"
answered 0 "^pid $pid\$"
ctl tree "$pid"
answered 0 '^    url /  open'
ctl reload "$pid"
answered 0 '^reload  gen 1 -> 2'
ctl status 4
answered 1 'nobody listens'
ctl stop "$pid"
answered 0 '^exit 0: stopped by ctl'
code=0
wait "$server" || code=$?
server=
[ $code = 0 ] || fail "exit code $code after ctl stop"

# write TEXT MORE: the script in one step, with this answer at /kept/ and these lines.
write() {
    printf 'http.add_url("/kept/", function() return "%s" end)\n%s\n' "$1" "$2" >"$inside/new"
    mv "$inside/new" "$inside/app.lua"
}

# await TEXT: a line on the server's outputs.
await() {
    tries=150
    until grep -q "$1" "$work/out" "$work/err"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "no '$1'"
        sleep 0.1
    done
}

write one 'http.add_url("/old/", function() return "old" end)'
start "$inside/app.lua" -p 0 --watch=poll:50
expect 'one' "$url/kept/"
expect 'old' "$url/old/"
write two 'http.add_url("/new/", function() return "new" end)'
await 'gen 1 -> 2'
expect 'two' "$url/kept/"
expect 'new' "$url/new/"
write three 'this is not Lua'
await 'gen 2 keeps serving'
expect 'two' "$url/kept/"
stop

# What the provider cannot do is refused at start, by name.
code=0
sh "$wine" "$program" run scripts/lifetimes.lua --set port=18080 >"$work/out" 2>"$work/err" ||
    code=$?
[ $code = 3 ] || fail "lifetimes with settings: exit code $code"
grep -q 'ERROR_NOT_SUPPORTED' "$work/err" && grep -q 'leave out length' "$work/err" ||
    fail "lifetimes with settings: not refused by name"
cases=$((cases + 1))
echo "ok   a setting that the provider lacks is refused at start"

code=0
sh "$wine" "$program" run scripts/hello.lua --loop epoll >"$work/out" 2>"$work/err" || code=$?
[ $code = 2 ] && grep -q 'not available here' "$work/err" || fail "--loop epoll: $code"
cases=$((cases + 1))
echo "ok   a loop that is not there is refused at start"

sh "$wine" "$program" version --json >"$work/out" 2>"$work/err"
grep -q '"tls":"no: ' "$work/out" && grep -q '"provider":"http.sys' "$work/out" || fail "version"
cases=$((cases + 1))
echo "ok   version names provider and capabilities"

echo "$cases passed, 0 failed, 0 skipped"
