#!/bin/sh
# What a newcomer does wrong, and what is said about it: the thing, its place, the cure, and the
# exit code.
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"

# refused CODE PATTERN ARGS...: the program ends with the code, and stderr has such a line.
refused() {
    wanted=$1 pattern=$2
    shift 2
    say "case: $*"
    launch "$@"
    wait_end
    expect_code "$wanted"
    expect_err "$pattern"
    [ ! -s "$work/out" ] || fail "something is on standard output"
}

# wrong PATTERN LUA: a script that does not load.
wrong() { refused 3 "$1" -p 0 -e "$2"; }

refused 2 'no script' -p 0
refused 2 'unknown option --wokers \(--workers\?\)' --wokers 2 a.lua
refused 2 '128K' --limit memory=1 -e 'x = 1'
refused 5 'rnu: No such file' rnu
expect_err '^hint: .*command run\?'
refused 5 'nothing.lua: No such file' run "$work/nothing.lua"
printf 'local a = 1\nlocal b = = 2\n' >"$work/broken.lua"
refused 3 'broken.lua:2: unexpected symbol' "$work/broken.lua"

# No control byte of a message reaches the terminal.
wrong '^error: -e:1: x\\x1b\[31my\\x07$' 'error("x\27[31my\a")'
printf 'x = "\033[31m" = 3\r\n' >"$work/colored.lua"
refused 3 '^   1 | x = "\\x1b\[31m" = 3$' check "$work/colored.lua"
expect_err '^     |                ^$'

# A module that is not there, a name that is not there, a wrong type: with file and line.
wrong "^error: -e:1: module 'nomodule' not found" 'require "nomodule"'
wrong "^error: -e:1: options: there is no 'nmae' \('name'\?\)" 'http.session { nmae = "x" }'
wrong "^error: -e:1: timeouts: there is no 'header_wiat' \('header_wait'\?\)" \
    'http.session { timeouts = { header_wiat = 5 } }'
wrong "^error: -e:1: timeouts.header_wait: expected a whole number" \
    'http.session { timeouts = { header_wait = -5 } }'
wrong "^error: -e:1: http.session has no property 'satte' \('state'\?\)" \
    'local s = http.session {} s.satte = "inactive"'
wrong "^error: -e:1: http.queue has no field 'lenght' \('length'\?\)" 'print(http.queue {}.lenght)'
wrong "^error: -e:1: bad argument #1 to 'sleep' \(number expected" 'http.sleep("x")'
wrong "^error: -e:1: bad argument #2 to 'add_url' \(function or router expected" \
    'http.add_url("/a/", 5)'
wrong '^error: -e:1: a: it must begin with http://, https:// or a slash' \
    'http.add_url("a", print)'
wrong '^error: -e:1: /a/../b/: the path has a segment' 'http.add_url("/a/../b/", print)'
wrong '^error: /a/: ERROR_ALREADY_EXISTS .* added at -e:1' \
    'http.add_url("/a/", print) http.add_url("/a/", print)'
wrong "^error: -e:1: .*two parameters have one name" 'http.router():get("/:id/x/:id", print)'
wrong '^error: -e:1: GET /a was added at -e:1' \
    'local r = http.router() r:get("/a", print) r:get("/a", print)'
wrong '^error: -e:1: closed http.session \(closed at -e:1\)' \
    'local s = http.session {} s:close() s:group {}'
wrong '^error: -e:1: cannot wait inside string.gsub' \
    'string.gsub("x", ".", function() http.sleep(1) end)'
wrong "^error: -e:1: options: there is no 'typ' \('type'\?\)" 'http.file("x", { typ = "a/b" })'

refused 4 'ERROR_NOT_SUPPORTED' -e 'http.add_url("https://localhost:9443/", print)'
expect_err '^hint: .*use http://'
refused 4 'ERROR_NOT_FOUND' -e 'http.add_url("http://192.0.2.1:9/", print)'
expect_err '^hint: .*no such address'

say "case: handlers"
cat >"$work/app.lua" <<'LUA'
local app = http.router()
app:get("/status", function() return 99 end)
app:get("/kind", function()
  return true
end)
app:get("/field", function(request) return request.methd end)
app:get("/limit", function(request) return request:body { limt = 5 } end)
app:get("/run", function() http.run() end)
app:get("/late", function(request) request:respond(200, "first") request:respond(200, "second") end)
app:get("/loop", function() while true do end end)
app:get("/file", function() return nil, select(2, http.file("/nothing/there")) end)
http.add_url("/", app)
http.add_url("/plain/", function() return 200, 5, "x" end)
LUA
start run "$work/app.lua" -p 0 --limit request=0.3

# answers STATUS PATH PATTERN...: the log has a line like each pattern.
answers() {
    wanted=$1 path=$2
    shift 2
    got=$(ask -o "$work/got" "$url$path" | tail -n 1)
    [ "$got" = "$wanted" ] || fail "$path: status $got, wanted $wanted"
    for pattern; do expect_err "$pattern"; done
}
answers 500 /status 'GET /status: 500' 'a status is an integer from 200 to 999, not 99' \
    'returned by the handler at .*app.lua:2'
answers 500 /kind 'a handler returned \(boolean\); allowed: ' 'the handler at .*app.lua:3'
answers 500 /field "app.lua:6: http.request has no field 'methd' \('method'\?\)"
answers 500 /limit "app.lua:7: options: there is no 'limt' \('limit'\?\)"
answers 500 /run 'app.lua:8: http.run belongs into the main chunk'
answers 200 /late 'app.lua:9: closed http.request \(it has been answered\)'
answers 503 /loop 'app.lua:10: too long' 'GET /loop: the handler was stopped .*--limit request'
answers 404 /file
answers 500 /plain/ 'headers are a table, not a number' 'the handler at .*app.lua:13'
stop TERM
expect_code 0

finish "what is said about mistakes"
