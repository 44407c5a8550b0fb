#!/bin/sh
# scripts/ticks.lua: events arrive one by one; others are served meanwhile; a stop ends the stream.
. "$(dirname -- "$0")/lib.sh"

start run "$root/scripts/ticks.lua" -p 0 --trace close
curl -sS -N -D "$work/head" "$url/ticks/?count=3&pause=0.05" >"$work/got" || fail "curl"
[ "$(grep -c '^id: [123]$' "$work/got")" = 3 ] || fail "$(cat "$work/got")"
grep -qi '^content-type: text/event-stream' "$work/head" || fail "no event stream"
expect_answer 400 "count and pause are numbers" "$url/ticks/?count=x"
curl -sS -N "$url/ticks/?count=1000&pause=0.1" >"$work/long" 2>&1 &
long=$!
has_two() { [ "$(grep -c '^data' "$work/long")" -ge 2 ]; }
until_true 10 has_two || fail "no events"
curl -sS -N "$url/ticks/?count=1" | grep -q '^id: 1$' || fail "not served beside a stream"
# The client goes away: the wait ends, nothing is cut at the stop.
kill $long
wait $long 2>/dev/null || true
curl -sS -N "$url/ticks/?count=2&pause=1" >"$work/short" 2>&1 &
short=$!
has_one() { grep -q '^id: 1$' "$work/short"; }
until_true 10 has_one || fail "no event"
stop TERM
expect_code 0
expect_closed 4
wait $short || fail "the stream under way was cut"
grep -q '^id: 2$' "$work/short" || fail "the stream under way was not finished"
finish "ticks"
