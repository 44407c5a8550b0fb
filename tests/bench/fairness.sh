#!/bin/sh
# What a long computation costs the others: the latency of hello on one worker, alone and beside one
# connection that keeps calling a handler which computes for 50 ms. docs/performance.md has what
# came out.
#
# MOONLATCH=PROGRAM fairness.sh [SECONDS] [CONNECTIONS]
. "$(dirname -- "$0")/../e2e/lib.sh"

seconds=${1:-5}
connections=${2:-8}

cat >"$work/fairness.lua" <<'LUA'
http.add_url("/", function() return "hello, world\n" end)
http.add_url("/long/", function()
  local clock, rounds = os.clock, 0
  local ends = clock() + 0.05
  while clock() < ends do rounds = rounds + 1 end
  return rounds .. "\n"
end)
LUA

# load NAME PATH CONNECTIONS SECONDS: prints one row.
load() {
    wrk -t1 -c"$3" -d"$4" --latency "$url$2" >"$work/$1" || fail "wrk: $(cat "$work/$1")"
    awk -v name="$1" '$1 == "Latency" && NF == 5 { max = $4 }
        $1 == "50%" { p50 = $2 } $1 == "90%" { p90 = $2 } $1 == "99%" { p99 = $2 }
        $1 == "Requests/sec:" { rate = $2 }
        END { printf "| %s | %s | %s | %s | %s | %s |\n", name, p50, p90, p99, max, rate }' \
        "$work/$1"
}

command -v wrk >/dev/null || { say "wrk is not installed"; exit 77; }
start run "$work/fairness.lua" -p 0
say "| load | p50 | p90 | p99 | max | requests/s |"
say "|---|---|---|---|---|---|"
load "hello alone" / "$connections" "$seconds"
load "long beside hello" /long/ 1 $((seconds + 1)) >"$work/row" &
pid=$!
sleep 0.5 # it is under way
load "hello beside long" / "$connections" "$seconds"
wait "$pid"
cat "$work/row"
stop INT
expect_code 0
