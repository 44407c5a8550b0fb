#!/bin/sh
# A second process that asks for a port in use is refused, and told by whom it is held.
. "$(dirname -- "$0")/lib.sh"

script='http.add_url("/", function() return "first" end)'
start -p 0 --trace close --workers 2 -e "$script"
first=$server first_port=$port
"$program" -p "$first_port" --trace close -e "$script" >"$work/out2" 2>"$work/err2" && second=0 ||
    second=$?
[ "$second" = 4 ] || { cat "$work/err2"; fail "the second ended with $second, wanted 4"; }
[ ! -s "$work/out2" ] || fail "the second said ready"
grep -q "$first_port" "$work/err2" || fail "no port in: $(cat "$work/err2")"
grep -q "pid $first" "$work/err2" || fail "no holder in: $(cat "$work/err2")"
grep -q -- '-p 0' "$work/err2" || fail "no cure in: $(cat "$work/err2")"
# What the second had opened before is closed too.
mv "$work/err" "$work/err1"
cp "$work/err2" "$work/err"
expect_closed 0
mv "$work/err1" "$work/err"
# The first is none the worse for it.
expect_answer 200 "first" "$url/"
# A full prefix of the script is refused in the same way.
prefix=http://localhost:$first_port/x/
script="http.session{}:group{ queue = http.queue{} }:add_url('$prefix', print) http.run()"
"$program" -e "$script" >"$work/out2" 2>"$work/err2" && second=0 || second=$?
[ "$second" = 4 ] || { cat "$work/err2"; fail "the third ended with $second, wanted 4"; }
server=$first
stop TERM
expect_code 0
expect_closed 4
# Now it is free again.
start -p "$first_port" -e 'http.add_url("/", function() return "first" end)'
expect_answer 200 "first" "$url/"
stop TERM
expect_code 0
finish "port in use"
