#!/bin/sh
# How the program gets on with what it was started in: descriptors that are closed, readers that
# have gone, too few descriptors. It takes the way out each time, with the exit code of the cause.
# ctest-timeout: 60
. "$(dirname -- "$0")/lib.sh"

stopping='http.add_url("/", function() return "x" end) http.spawn(function() http.stop(7) end)'

say "case: the reader of standard output has gone"
rm -f "$work/pipe"
mkfifo "$work/pipe"
: <"$work/pipe" & # opens the other end and leaves
"$program" -p 0 --json --trace close -e "$stopping" 2>"$work/err" 9>"$work/pipe" >&9 &
server=$!
wait_end
expect_code 7
expect_closed 4
expect_err '^exit 7: '

say "case: the standard descriptors are closed"
"$program" -p 0 --ready-file "$work/ready" --trace close -e "$stopping" <&- >&- 2>&- &
server=$!
wait_end
expect_code 7 # and not what somebody wrote into a socket of ours would make of it

say "case: standard output is full"
[ ! -e /dev/full ] || {
    "$program" -p 0 --trace close -e "$stopping" >/dev/full 2>"$work/err" &
    server=$!
    wait_end
    expect_code 7
    expect_closed 4
}

# Clock ticks of processor time that the program has used.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$server/stat"; }

has_no_free_descriptor() { [ "$(ls "/proc/$server/fd" | wc -l)" -ge 24 ]; }

say "case: more clients than descriptors"
launch_few() {
    : >"$work/out"
    (
        # shellcheck disable=SC3045 # dash has it too
        ulimit -n 24
        exec "$program" -p 0 -e 'http.add_url("/", function() return "served\n" end)'
    ) >"$work/out" 2>"$work/err" &
    server=$!
}
launch_few
until_true 20 is_ready_or_gone || fail "no ready line in 20 s"
port=$(sed -n 's/^ready http[^ ]*:\([0-9]*\) .*/\1/p' "$work/out")
[ -n "$port" ] || fail "not ready"
cat >"$work/crowd.js" <<'JS'
const net = require('net');
const clients = [];
for (let i = 0; i < 60; i++) clients.push(net.connect(+process.argv[2], '127.0.0.1'));
process.stdin.on('data', () => process.exit(0));
JS
mkfifo "$work/word"
node "$work/crowd.js" "$port" <"$work/word" &
exec 8>"$work/word"
until_true 20 has_no_free_descriptor || fail "the crowd did not take every descriptor"
before=$(ticks)
tries=50 # of 20 ms: a loop that spins would use most of that second, a pausing one nothing
while [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.02
done
used=$(($(ticks) - before))
[ "$used" -lt 25 ] || fail "$used ticks of processor time while nothing could be accepted"
echo leave >&8
exec 8>&-
expect_answer 200 "served" "http://127.0.0.1:$port/"
stop TERM
expect_code 0

finish "manners"
