#!/bin/sh
# A URL that a handler or a timer adds while several workers serve: its handler is in one Lua state,
# its requests come to all workers, and each is answered. ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"

cat >"$work/later.lua" <<'LUA'
local later -- in the state that was asked to add it

local function describe(request)
  return request.method .. " " .. request.path .. " " .. (request.query.x or "-") .. " "
    .. (request.headers["x-name"] or "-") .. " " .. #request:body() .. "\n"
end

http.add_url("/", function() return "main\n" end)

http.add_url("/add", function()
  local app = http.router()
  app:get("/", describe)
  app:post("/", describe)
  app:get("/wait", function() http.sleep(0.02) return "waited\n" end)
  app:get("/stream", function()
    return function(stream) for i = 1, 3 do stream:write(i, "\n") http.sleep(0.002) end end
  end)
  app:get("/fail", function() error("failed on purpose") end)
  app:get("/close", function() later:close() return "closed\n" end)
  later = http.add_url("/later/", app)
  http.spawn(function()
    http.sleep(0.01)
    http.add_url("/timer/", function() return "timer\n" end)
  end)
  return "added\n"
end)
LUA

# many TIMES STATUS TEXT ARGS...: each on a connection of its own, so that every worker is met.
many() {
    times=$1
    shift
    while [ "$times" -gt 0 ]; do
        expect_answer "$@"
        times=$((times - 1))
    done
}

# serve WORKERS
serve() {
    start run "$work/later.lua" -p 0 --workers "$1" --trace close
    expect_answer 200 main "$url/"
    expect_answer 200 added "$url/add"
}

ask_all() {
    many 16 200 'GET /later/ 7 me 0' -H 'X-Name: me' "$url/later/?x=7"
    head -c 300000 /dev/zero >"$work/body"
    many 6 200 'POST /later/ - - 300000' --data-binary "@$work/body" -H 'Expect:' "$url/later/"
    many 6 200 waited "$url/later/wait"
    many 6 200 '1
2
3' "$url/later/stream"
    for i in 1 2 3 4; do
        got=$(ask "$url/later/fail" | tail -n 1)
        [ "$got" = 500 ] || fail "a failing handler answers $got"
    done
    # One connection, many requests: to the URL of all workers and to that of one in turn.
    got=$(curl -sS --max-time 30 "$url/later/?x=1" "$url/" "$url/later/wait" "$url/" \
        "$url/later/?x=2")
    [ "$got" = "GET /later/ 1 - 0
main
waited
main
GET /later/ 2 - 0" ] || fail "on one connection: $got"
    until_true 10 expect_answer 200 timer "$url/timer/" || fail "the timer's URL is not there"
    many 8 200 timer "$url/timer/"
    # Many at once, given up half way by some.
    pids=
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        curl -s --max-time 0.01 -o "$work/cut.$i" "$url/later/wait" &
        pids="$pids $!"
        curl -s --max-time 30 -o "$work/got.$i" "$url/later/wait" &
        pids="$pids $!"
    done
    for pid in $pids; do
        wait "$pid" || true # the first of each pair ends with 28
    done
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        [ "$(cat "$work/got.$i")" = waited ] || fail "one of many got '$(cat "$work/got.$i")'"
    done
}

is_one_answered() { cat "$work"/last.* | grep -q waited; }

for workers in 2 4; do
    serve $workers
    ask_all
    expect_answer 200 closed "$url/later/close"
    many 8 200 main "$url/later/" # the URL above it has them now
    stop INT
    expect_code 0
    expect_closed 4
    # And with requests under way, which are finished.
    rm -f "$work"/last.*
    serve $workers
    pids=
    for i in 1 2 3 4 5 6 7 8; do
        curl -s --max-time 30 -o "$work/last.$i" "$url/later/wait" &
        pids="$pids $!"
    done
    until_true 10 is_one_answered || fail "no answer at all"
    stop TERM
    expect_code 0
    for pid in $pids; do
        wait "$pid" || true # those that came too late
    done
    for i in 1 2 3 4 5 6 7 8; do
        [ ! -s "$work/last.$i" ] || [ "$(cat "$work/last.$i")" = waited ] ||
            fail "at the end: $(cat "$work/last.$i")"
    done
    expect_closed 4
done
say "ok: $served servers"
