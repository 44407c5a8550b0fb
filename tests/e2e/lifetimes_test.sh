#!/bin/sh
# scripts/lifetimes.lua: closed by a request, by a signal, and a URL that lives for one request.
. "$(dirname -- "$0")/lib.sh"

fixed=$(free_port)
[ -n "$fixed" ] || fail "no free port"
start run "$root/scripts/lifetimes.lua" --set port="$fixed" --trace close
url=http://localhost:$fixed
expect_answer 200 "open until somebody closes it" "$url/api/"
ask "$url/api/tree" | grep -q 'shop' || fail "http.tree() does not know the session"
[ "$(ask -o "$work/got" "$url/api/brief/" | tail -n 1)" = 404 ] || fail "brief is there too early"
ask "$url/api/briefly?seconds=1" >"$work/brief" &
brief=$!
is_there() { [ "$(curl -sS "$url/api/brief/")" = "not for long" ]; }
until_true 20 is_there || fail "brief never came"
wait $brief || fail "curl"
grep -q 'is gone' "$work/brief" || fail "$(cat "$work/brief")"
[ "$(ask -o "$work/got" "$url/api/brief/" | tail -n 1)" = 404 ] || fail "brief is still there"
expect_answer 202 "stopping" -d "" "$url/api/stop"
wait_end
expect_code 0
expect_closed 4
expect_err 'http.run has returned'
expect_err 'journal closed after 1 requests'

start run "$root/scripts/lifetimes.lua" --set port="$fixed" --trace close
stop INT
expect_code 0
expect_closed 4
expect_err 'journal closed after 0 requests'
finish "lifetimes"
