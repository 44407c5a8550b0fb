#!/bin/sh
# lua/test.lua: a test that fails, asserts nothing or leaves something open makes the program end
# with 1 and says which; a good one with 0.
. "$(dirname -- "$0")/lib.sh"

cat >"$work/good.lua" <<'LUA'
local test = require "test"
test("holds", function()
  local session <close> = http.session {}
  test.equal(session:group({}).closed, false)
  http.sleep(0.01)
end)
test.run()
LUA
launch run "$work/good.lua" -p 0
wait_end
expect_code 0
expect_err '^ok 1 - holds'
expect_err '^1 tests, 0 failed'

# leaks NAME PATTERN: a test whose body is on stdin leaves something open that is named so.
leaks() {
    {
        printf 'local test = require "test"\ntest("%s", function()\ntest.equal(1, 1)\n' "$1"
        cat
        printf 'end)\ntest.run()\n'
    } >"$work/leak.lua"
    launch run "$work/leak.lua" -p 0 --drain 1
    wait_end
    expect_code 1
    expect_err "^not ok 1 - $1"
    expect_err "$2"
}

leaks session 'left open: session .*leak.lua:4' <<'LUA'
KEPT = http.session {}
LUA
leaks group 'left open: group .*leak.lua:4.*session' <<'LUA'
KEPT = http.session {}:group {}
LUA
leaks queue 'left open: queue .*leak.lua:4' <<'LUA'
KEPT = http.queue {}
LUA
leaks url 'left open: .*url /left/.*leak.lua:4' <<'LUA'
http.add_url("/left/", function() end)
LUA
leaks task 'left open: tasks' <<'LUA'
http.spawn(function() http.sleep(30) end)
LUA
leaks coroutine 'left open: coroutines' <<'LUA'
KEPT = coroutine.wrap(function() coroutine.yield() end)
KEPT()
LUA

# fails NAME PATTERN: a test whose body is on stdin fails and says so.
fails() {
    {
        printf 'local test = require "test"\ntest("%s", function()\n' "$1"
        cat
        printf 'end)\ntest.run()\n'
    } >"$work/fail.lua"
    launch run "$work/fail.lua" -p 0
    wait_end
    expect_code 1
    expect_err "^not ok 1 - $1"
    expect_err "$2"
}

fails equal 'fail.lua:3: got 1, wanted 2' <<'LUA'
test.equal(1, 2)
LUA
fails table 'fail.lua:3: got .*"a".*, wanted .*"b"' <<'LUA'
test.equal({ x = "a" }, { x = "b" })
LUA
fails raises 'fail.lua:3: no error was raised' <<'LUA'
test.raises(function() end)
LUA
fails match 'fail.lua:3: "abc" does not match "x"' <<'LUA'
test.match("abc", "x")
LUA
fails nothing 'it asserted nothing' <<'LUA'
LUA
fails raised 'fail.lua:3: by itself' <<'LUA'
error("by itself")
LUA
finish "the test library"
