#!/bin/sh
# Every way out of the program: the order of closing as `--trace close` tells it, and the exit code.
# ctest-timeout: 180
. "$(dirname -- "$0")/lib.sh"

# What most cases serve: objects of the script's own beside the host's; kept open by http.run.
own='local queue <close> = http.queue{} local session <close> = http.session{} '
own=$own'local group <close> = session:group{ queue = queue } '
free=$(free_port)
[ -n "$free" ] || fail "no free port"
own=$own'local u <close> = group:add_url("http://localhost:'$free'/own/", '
own=$own'function() return "own" end) '
bare='http.add_url("/", function() return "bare" end) '

# serve SCRIPT [ARGS...]
serve() {
    script=$1
    shift
    start -p 0 --trace close "$@" -e "$script"
}

# try SCRIPT [ARGS...]: for scripts that end by themselves, ready or not.
try() {
    script=$1
    shift
    launch -p 0 --trace close "$@" -e "$script"
    wait_end
}

case_of() { say "case: $*"; }

case_of end of script
try "local s <close> = http.session{} local g <close> = s:group{ queue = http.queue{} }"
expect_code 0
expect_closed 0
expect_err 'http.run'

case_of end of script with URLs goes on serving
serve "$own$bare"
expect_answer 200 "bare" "$url/"
stop TERM
expect_code 0
expect_closed 4

case_of http.stop
serve "$own$bare"'http.add_url("/stop/", function() http.stop() return "bye" end) http.run()'
expect_answer 200 "bye" "$url/stop/"
wait_end
expect_code 0
expect_closed 8

case_of http.stop with a code
serve "$own$bare"'http.add_url("/stop/", function() http.stop(7) return "bye" end) http.run()'
expect_answer 200 "bye" "$url/stop/"
wait_end
expect_code 7
expect_closed 8

case_of os.exit without close
serve "$own$bare"'http.add_url("/exit/", function() os.exit(5) end) http.run()'
[ "$(ask -o "$work/got" "$url/exit/" | tail -n 1)" = 503 ] || fail "no 503"
wait_end
expect_code 5
expect_closed 8

case_of os.exit with close
serve "$own$bare"'http.add_url("/exit/", function() os.exit(true, true) end) http.run()'
[ "$(ask -o "$work/got" "$url/exit/" | tail -n 1)" = 503 ] || fail "no 503"
wait_end
expect_code 0
expect_closed 8

case_of os.exit false
serve "$own$bare"'http.spawn(function() http.sleep(0.05) os.exit(false) end) http.run()'
wait_end
expect_code 1
expect_closed 7

case_of os.exit while loading
try "$own"'os.exit(9)'
expect_code 9
expect_closed 0

case_of error at load
try "$own"'error("broken")'
expect_code 3
expect_closed 0
expect_err 'broken'

case_of syntax error
try 'local = 1'
expect_code 3
expect_err "near '='"

case_of error in a handler
serve "$own"'http.add_url("/", function() error("oh no") end) http.run()'
[ "$(ask -o "$work/got" "$url/" | tail -n 1)" = 500 ] || fail "no 500"
[ "$(ask -o "$work/got" "$url/" | tail -n 1)" = 500 ] || fail "no second 500"
stop TERM
expect_code 0
expect_closed 8
expect_err 'oh no'
expect_err 'traceback'

case_of error behind http.run
serve "$own$bare"'http.spawn(function() http.sleep(0.05) http.stop() end) http.run() error("late")'
wait_end
expect_closed 4
expect_err 'late'
[ "$code" != 0 ] || fail "an error behind http.run is not success"

case_of SIGINT
serve "$own${bare}http.run()"
stop INT
expect_code 0
expect_closed 8

case_of SIGTERM lets a handler finish
serve 'http.add_url("/", function() io.stderr:write("asked\n") http.sleep(1) return "late" end)'
ask "$url/" >"$work/late" &
asked=$!
until_true 20 grep -q asked "$work/err" || fail "not asked"
stop TERM
expect_code 0
expect_closed 4
wait $asked || fail "the request under way was cut"
grep -q late "$work/late" || fail "the request under way was not answered: $(cat "$work/late")"

# Nobody listens any more: the server has begun to stop.
is_refused() {
    refused=0
    curl -s --max-time 1 -o "$work/got" "$url/" || refused=$?
    [ "$refused" = 7 ]
}

case_of second signal
serve 'http.add_url("/", function() io.stderr:write("asked\n") http.sleep(100) end)' --drain 60
ask "$url/" >"$work/cut" 2>&1 &
asked=$!
until_true 20 grep -q asked "$work/err" || fail "not asked"
kill -TERM "$server"
until_true 20 is_refused || fail "the first signal was not heard"
sleep 0.1 # the same signal within 20 ms would be an echo of the first
kill -TERM "$server"
wait_end
expect_code 143
expect_closed 4
wait $asked || true
grep -q '^503$' "$work/cut" || fail "cancelled, and not told: $(cat "$work/cut")"

case_of second signal, SIGINT
serve 'http.add_url("/", function() io.stderr:write("asked\n") http.sleep(100) end)' --drain 60
ask "$url/" >/dev/null 2>&1 &
until_true 20 grep -q asked "$work/err" || fail "not asked"
kill -INT "$server"
until_true 20 is_refused || fail "the first signal was not heard"
sleep 0.1 # the same signal within 20 ms would be an echo of the first
kill -INT "$server"
wait_end
expect_code 130
expect_closed 4

case_of drain deadline
serve 'http.add_url("/", function() io.stderr:write("asked\n") http.sleep(100) end)' --drain 0.3
ask "$url/" >"$work/cut" 2>&1 &
asked=$!
until_true 20 grep -q asked "$work/err" || fail "not asked"
stop TERM
expect_code 6
expect_closed 4
wait $asked || true
grep -q '^503$' "$work/cut" || fail "cancelled, and not told: $(cat "$work/cut")"

case_of no memory in Lua while loading
try "$own"'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(100000) .. i end' --limit memory=16M
expect_code 3
expect_closed 0
expect_err 'memory'

case_of no memory in a handler
serve "$own"'http.add_url("/", function() local t = {}
    for i = 1, 1e9 do t[i] = ("x"):rep(100000) .. i end end)
http.add_url("/good/", function() return "good" end) http.run()' --limit memory=16M
[ "$(ask -o "$work/got" "$url/" | tail -n 1)" = 500 ] || fail "no 500"
expect_answer 200 "good" "$url/good/"
stop TERM
expect_code 0
expect_closed 9

bad='setmetatable({}, { __close = function() error("bad close") end, '
bad=$bad'__gc = function() error("bad gc") end })'

case_of __close that raises
serve "$own${bare}local bad <close> = $bad http.run()"
stop TERM
expect_closed 8
expect_err 'bad close'

case_of __close that raises in a handler
serve 'http.add_url("/", function() local bad <close> = '"$bad"' return "x" end)'
[ "$(ask -o "$work/got" "$url/" | tail -n 1)" = 500 ] || fail "no 500"
stop TERM
expect_code 0
expect_closed 4

case_of __gc that raises
serve "$own${bare}KEPT = $bad http.run()"
stop TERM
expect_code 0
expect_closed 8

case_of __close that yields
serve "$own$bare"'local slow <close> = setmetatable({}, { __close = function()
    http.sleep(0.1) io.stderr:write("closed slowly\n") end }) http.run()'
stop TERM
expect_code 0
expect_closed 8
expect_err 'closed slowly'

case_of __close that yields in a cancelled handler
serve 'http.add_url("/", function() local slow <close> = setmetatable({}, { __close = function()
    http.sleep(0.1) io.stderr:write("closed slowly\n") end })
    io.stderr:write("asked\n") http.sleep(100) end)' --drain 0.2
ask "$url/" >/dev/null 2>&1 &
until_true 20 grep -q asked "$work/err" || fail "not asked"
stop TERM
expect_code 6
expect_closed 4
expect_err 'closed slowly'

case_of __close that yields for ever
serve 'http.add_url("/", function() local slow <close> = setmetatable({}, { __close = function()
    while true do http.sleep(10) end end })
    io.stderr:write("asked\n") http.sleep(100) end)' --drain 0.2
ask "$url/" >/dev/null 2>&1 &
until_true 20 grep -q asked "$work/err" || fail "not asked"
stop TERM
expect_code 6
expect_closed 4

case_of parents first by hand
serve "$bare"'local q = http.queue{} local s = http.session{} local g = s:group{ queue = q }
local u = g:add_url("http://localhost:'"$free"'/own/", function() return "own" end)
http.add_url("/close/", function() q:close() s:close() g:close() u:close() s:close()
    return tostring(u) .. "\n" end) http.run()'
expect_answer 200 "own" "http://localhost:$free/own/"
[ "$(ask -o "$work/got" "$url/close/" | tail -n 1)" = 200 ] || fail "$(cat "$work/got")"
[ "$(ask -o "$work/got" "http://localhost:$free/own/" 2>/dev/null | tail -n 1)" != 200 ] ||
    fail "still served"
stop TERM
expect_code 0
expect_closed 4

case_of closing in the middle of a request
serve "$bare"'local s = http.session{} local g = s:group{ queue = http.queue{} }
g:add_url("http://localhost:'"$free"'/own/", function() s:close() http.sleep(0.1)
    return "still answered" end) http.run()'
expect_answer 200 "still answered" "http://localhost:$free/own/"
expect_answer 200 "bare" "$url/"
stop TERM
expect_code 0
expect_closed 4

case_of closing and making while stopping
serve "$own$bare"'http.add_url("/close/", function() http.stop() http.sleep(0.1) session:close()
    return tostring(select(2, pcall(http.session, {}))) end) http.run()'
ask "$url/close/" >"$work/got"
grep -q 'stopping' "$work/got" || fail "$(cat "$work/got")"
wait_end
expect_code 0
expect_closed 8

case_of pulled queue
serve "$bare"'local queue <close> = http.queue{} local session <close> = http.session{}
local group <close> = session:group{ queue = queue }
group:add_url("http://localhost:'"$free"'/jobs/")
for request in queue:requests() do request:respond(200, "job") end
io.stderr:write("no more jobs\n")'
expect_answer 200 "job" "http://localhost:$free/jobs/"
stop TERM
expect_code 0
expect_closed 8
expect_err 'no more jobs'

case_of three workers
serve "$own${bare}http.run()" --workers 3
expect_answer 200 "bare" "$url/"
stop TERM
expect_code 0
expect_closed 8

finish "every way out"
