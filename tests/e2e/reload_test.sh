#!/bin/sh
# A reload as a user meets it: what takes over, what stays, what a broken one says; ctl and SIGHUP.
#
# How reloads go wrong elsewhere, and what would notice it here (U: tests/runtime, E: tests/e2e);
# docs/reload.md has the faults that were planted to see it:
#   a half-written file is loaded            U watch: half a save; E watch: half-written
#   a rename makes the watcher lose a file   U watch: each way of saving; E watch: renamed over
#   the set of routes is not swapped at once U reload: a moved URL, adds before it removes;
#                                            U reload: a moved URL is never removed;
#                                            E reload_load: 0 failed while /v/ and / take turns
#   two saves within one reload              E watch: saves during a load, a storm of saves
#   a save during the drain                  U reload: waits for the oldest; E reload: at most three
#   only an included file is edited          E watch: required, dofile, loadfile
#   files removed, folders renamed, links    U watch: made anew, links; E watch: the same
#   the script writes a file it loads        U watch: gives up; E watch: reloads for ever
#   a load that blocks, loops or eats memory E reload: the load does not end (loops, in a pcall, in
#                                            a coroutine), not loaded after, not enough memory
#   an error in __close or __gc              U retire: goes on after errors; E reload: in close
#   an error after side effects of the load  U generation: touches nothing before it takes over;
#                                            U reload: changes nothing (the tree, contract calls)
#   a URL that the new code dropped answers  U reload: adds before it removes; E reload: /old/
#   a URL that the old code still has        U reload: moved; E reload: moves to another group
#   an old timer fires late, two at once     U retire: old timers; E reload: background closed
#   keep-alive connections are cut           E reload: not the old answer, then the new one, on
#                                            one connection; E reload_load: 0 failed
#   a stream that never ends                 U retire: cuts; E reload: at most three generations
#   a slow client keeps its generation       U retire: a slow client
#   one page load sees two generations       U generation: never goes back, takes over everywhere;
#                                            E reload_load: numbers never go back, 2 and 4 workers
#   memory: N workers x 2 states             E reload: states of two workers that are left
#   a stale `require` cache                  E reload: a stale require; E watch: a required file
#   C modules loaded twice or unloaded       E reload: a C module
# ctest-timeout: 180
. "$(dirname -- "$0")/lib.sh"
cd "$work"
control=$work/control

# With a bound: a load that cannot be ended must not keep this test.
ctl() { timeout 20 "$program" ctl --control "$control" "$@"; }
begin() { start run app.lua -p 0 --control "$control" "$@"; }
finish_server() {
    ctl stop >"$work/said" || fail "ctl stop: $(cat "$work/said")"
    wait_end
    expect_code 0
}
reloads() { ctl reload >"$work/said" 2>&1 || fail "ctl reload: $(cat "$work/said")"; }
breaks() {
    code=0
    ctl reload >"$work/said" 2>&1 || code=$?
    [ "$code" != 124 ] || fail "the load does not end: $(cat app.lua)"
    [ "$code" = 3 ] || fail "ctl reload: code $code, wanted 3: $(cat "$work/said")"
    grep -q -- "$1" "$work/said" || fail "ctl reload says nothing like '$1': $(cat "$work/said")"
}
one_generation() { [ "$(ctl gens | wc -l)" = 1 ]; }
holds() { [ "$(curl -s "$url/held/")" = "$1" ]; }

# --- a new generation takes over --------------------
cat >app.lua <<'LUA'
http.add_url("/v/", function() return "one" end)
http.add_url("/old/", function() return "old" end)
local store = http.store()
http.add_url("/hold/", function()
    store:incr("held")
    while not store:get("go") do http.sleep(0.01) end
    return "held by one\n"
end)
http.add_url("/held/", function() return tostring(store:get("held")) end)
http.spawn(function()
    local t <close> = setmetatable({}, { __close = function() print("background closed") end })
    while true do http.sleep(0.01) end
end)
LUA
begin --workers 2
expect_answer 200 one "$url/v/"
# Two requests on one connection; the first one is in its handler when the new generation comes.
curl -sS --max-time 60 -w 'connects %{num_connects}\n' "$url/hold/" "$url/v/" >held.out 2>&1 &
held=$!
until_true 20 holds 1 || fail "the request that is to be held has not begun"
cat >app.lua <<'LUA'
http.add_url("/v/", function() return "two" end)
http.add_url("/new/", function() return "new" end)
http.add_url("/go/", function() http.store():set("go", true) return "gone" end)
LUA
reloads
expect_answer 200 two "$url/v/"
expect_answer 200 new "$url/new/"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/old/")" = 404 ] || fail "a URL that went answers"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/hold/")" = 404 ] || fail "a URL that went answers"
until_true 20 grep -q 'background closed' err || fail "the old background task goes on"
expect_answer 200 gone "$url/go/"
wait "$held" || fail "a request that was held: $(cat held.out)"
printf 'held by one\nconnects 1\ntwoconnects 0\n' | cmp -s - held.out ||
    fail "not the old answer, then the new one, on one connection: $(cat held.out)"
until_true 20 one_generation || fail "the old generation did not end"
ctl status | grep -q 'reloads 1 done, 0 failed' || fail "status: $(ctl status)"

# --- SIGHUP does the same --------------------
echo 'http.add_url("/v/", function() return "three" end)' >app.lua
kill -HUP "$server"
until_true 20 grep -q 'SIGHUP  gen 2 -> 3' err || fail "SIGHUP did nothing"
expect_answer 200 three "$url/v/"

# --- what breaks changes nothing and says where --------------------
echo 'local x = = 1' >app.lua
breaks "app.lua:1: unexpected symbol near '='"
expect_err "broken  app.lua:1: unexpected symbol near '='  gen 3 keeps serving"
printf 'http.add_url("/v/", function() return "x" end)\n' >app.lua
printf 'http.add_url("/y/", function() end)\nerror("no")\n' >>app.lua
breaks 'app.lua:3: no'
echo 'while true do end' >app.lua
finish_server
echo 'http.add_url("/v/", function() return "one" end)' >app.lua
begin --limit load=0.3 --limit memory=8M
echo 'while true do end' >app.lua
breaks 'app.lua:1: .*load'
echo 'while true do pcall(function() while true do end end) end' >app.lua
breaks 'app.lua:1: .*load'
echo 'while true do coroutine.wrap(function() while true do end end)() end' >app.lua
breaks 'app.lua:1: .*load'
echo 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000000) .. i end' >app.lua
breaks 'not enough memory'
echo 'http.sleep(5)' >app.lua
breaks 'not loaded after 0.3 s'
echo 'os.exit(7)' >app.lua
breaks 'os.exit(7)'
echo 'http.stop()' >app.lua
breaks 'http.stop'
: >app.lua
breaks 'nothing is open'
echo 'require "nothing.there"' >app.lua
breaks "module 'nothing.there' not found"
echo 'http.add_url("http://8.8.8.8:'"$port"'/x/", function() end)' >app.lua
breaks 'app.lua:1'
rm app.lua
breaks 'app.lua: No such file'
expect_answer 200 one "$url/v/"
one_generation || fail "a failed load left a generation: $(ctl gens)"
ctl tree >tree
[ "$(grep -c . tree)" = 4 ] || fail "a failed load left something: $(cat tree)"

# --- and back: rollback serves the texts of the generation before, whatever the files say --------
cat >app.lua <<'LUA'
http.add_url("/v/", function() return (require("m")) end)
LUA
echo 'return "m two"' >m.lua
reloads
expect_answer 200 'm two' "$url/v/"
echo 'return "m three"' >m.lua
reloads
[ "$(curl -s "$url/v/")" != 'm two' ] || fail "a stale require: m is the old generation's"
expect_answer 200 'm three' "$url/v/"
finish_server

cat >app.lua <<'LUA'
local m = require("m")
http.add_url("/v/", function() return m end)
LUA
echo 'return "m one"' >m.lua
begin
echo 'return "m two"' >m.lua
reloads
expect_answer 200 'm two' "$url/v/"
rm m.lua
ctl rollback >/dev/null
expect_answer 200 'm one' "$url/v/"
ctl rollback >/dev/null
expect_answer 200 'm two' "$url/v/"
finish_server

# --- a URL that moves to another group, both ways; properties of a kept object change ------------
echo 'http.add_url("/v/", function() return "one" end)' >app.lua
begin --trace calls
cat >app.lua <<LUA
local group = http.session { name = "s" }:group { queue = http.queue { length = 10 } }
group:add_url("http://127.0.0.1:$port/v/", function() return "moved" end)
LUA
reloads
expect_answer 200 moved "$url/v/"
expect_err 'call HttpAddUrlToUrlGroup http://127.0.0.1:[0-9]*/v/ 0'
sed -i 's/length = 10/length = 20/; s/moved/kept/' app.lua
: >err
reloads
expect_answer 200 kept "$url/v/"
grep -q 'call HttpSetRequestQueueProperty' err || fail "the changed property was not set"
! grep -qE 'call Http(Create|Close|AddUrl|RemoveUrl)' err || fail "a kept object was touched"
# A commit that fails after it has moved a URL gives it back.
cat >app.lua <<LUA
http.add_url("/v/", function() return "back" end)
http.session { name = "t" }:group { queue = http.queue {} }
    :add_url("http://8.8.8.8:$port/x/", function() end)
LUA
breaks 'app.lua:2'
expect_answer 200 kept "$url/v/"
echo 'http.add_url("/v/", function() return "back" end)' >app.lua
reloads
expect_answer 200 back "$url/v/"
until_true 20 one_generation || fail "the old generation did not end"
ctl tree >tree
[ "$(grep -c . tree)" = 4 ] || fail "something is left: $(cat tree)"
finish_server

# --- the retired generation closes in order; what it left unused is named --------------------
cat >app.lua <<'LUA'
local session = http.session {}
local group = session:group { queue = http.queue {} }
group:add_url("http://localhost:" .. http.arg.port .. "/v/", function() return "one" end)
leak = session:group {}
LUA
port=$(free_port)
start run app.lua -p 0 --control "$control" --trace close --set port="$port"
echo 'http.add_url("/w/", function() return "two" end)' >app.lua
reloads
until_true 20 one_generation || fail "the old generation did not end"
expect_err 'gen 1 left a group open that it did not use, made at app.lua:4'
expect_err 'closed  gen 1  1 url, 2 groups, 1 session, 1 queue  1 left'
awk '/^close Http/ { print $2 }' err >order
cat >wanted <<'TEXT'
HttpRemoveUrlFromUrlGroup
HttpCloseUrlGroup
HttpCloseUrlGroup
HttpCloseServerSession
HttpSetUrlGroupProperty
HttpCloseRequestQueue
TEXT
grep -v HttpSetUrlGroupProperty wanted >wanted2
grep -v HttpSetUrlGroupProperty order >order2
cmp -s order2 wanted2 || fail "order of closing: $(cat order)"
finish_server

# --- pull: the iterator of the old generation ends --------------------
cat >app.lua <<'LUA'
local queue <close> = http.queue { name = "jobs" }
local session <close> = http.session { name = "s" }
local group <close> = session:group { queue = queue }
local url <close> = group:add_url("http://127.0.0.1:" .. http.arg.port .. "/jobs/")
for request in queue:requests() do request:respond(200, "one") end
print("iterator ended")
LUA
port=$(free_port)
start run app.lua -p 0 --control "$control" --set port="$port"
url=http://127.0.0.1:$port
expect_answer 200 one "$url/jobs/"
sed -i 's/"one"/"two"/' app.lua
reloads
expect_answer 200 two "$url/jobs/"
until_true 20 grep -q 'iterator ended' err || fail "the old iterator did not end"
until_true 20 one_generation || fail "the old generation did not end"
finish_server

# --- at most three generations; a stream that never ends is ended at the drain time ---------------
# Each state says when it comes and when it is freed: of W workers' states at most 3 * W are there.
cat >app.lua <<'LUA'
print("state made")
state = setmetatable({}, { __gc = function() print("state freed") end })
http.add_url("/v/", function() return "one" end)
http.add_url("/events/", function()
    return function(stream) while true do stream:write("data: x\n\n") http.sleep(0.05) end end
end)
LUA
streams() { [ -s "events$1" ]; }
begin --drain 1 --workers 2
for i in 1 2 3 4; do
    curl -sN --max-time 20 "$url/events/" >"events$i" &
    until_true 20 streams "$i" || fail "event stream $i has not begun"
    echo "-- $i" >>app.lua
    reloads
    ctl gens >gens
    [ "$(grep -c . gens)" -le 3 ] || fail "more than three generations: $(cat gens)"
done
until_true 10 one_generation || fail "a stream kept its generation: $(ctl gens)"
awk '/^state made/ { n++ } /^state freed/ { n-- } n > most { most = n }
    END { print "states " n + 0 ", at most " most + 0; exit n != 2 || most > 6 }' err >states ||
    fail "states of two workers that are left, and that were there at once: $(cat states)"
finish_server

# --- what is carried, and the store --------------------
cat >app.lua <<'LUA'
local count = 0
local store = http.store()
http.add_url("/count/", function()
    count = count + 1
    return (http.carried and http.carried.total or 0) .. "+" .. count
end)
http.add_url("/store/", function() return tostring(store:incr("n")) end)
http.on_unload(function() return { total = (http.carried and http.carried.total or 0) + count } end)
LUA
begin
expect_answer 200 0+1 "$url/count/"
expect_answer 200 0+2 "$url/count/"
expect_answer 200 1 "$url/store/"
reloads
expect_answer 200 2+1 "$url/count/"
expect_answer 200 2 "$url/store/"
echo 'broken(' >>app.lua
breaks 'app.lua'
expect_answer 200 2+2 "$url/count/"
sed -i '$d' app.lua
reloads
expect_answer 200 4+1 "$url/count/"
finish_server

# --- an error in __close of the old generation does not stop its end --------------------
cat >app.lua <<'LUA'
local t <close> = setmetatable({}, { __close = function() error("in close") end })
local u = setmetatable({}, { __gc = function() error("in gc") end })
http.add_url("/v/", function() return "one" end)
http.run()
LUA
begin
echo 'http.add_url("/v/", function() return "two" end)' >app.lua
reloads
until_true 20 one_generation || fail "an error in __close stopped the end"
expect_answer 200 two "$url/v/"
expect_err 'in close'
finish_server

# --- a C module is loaded once, whatever the generations do, and is never unloaded ---------------
if lua5.4 -e 'require "cjson"' 2>/dev/null; then
    cat >app.lua <<'LUA'
local json = require "cjson"
http.add_url("/v/", function() return json.encode { "one" } end)
LUA
    begin --workers 2
    expect_answer 200 '["one"]' "$url/v/"
    sed -i 's/"one"/"two"/' app.lua
    reloads
    expect_answer 200 '["two"]' "$url/v/"
    until_true 5 one_generation || fail "the old generation did not end"
    echo 'http.add_url("/v/", function() return "none" end)' >app.lua
    reloads
    until_true 5 one_generation || fail "the old generation did not end"
    grep -q cjson "/proc/$server/maps" || fail "the C module was unloaded"
    [ "$(grep -c 'r-xp.*cjson' "/proc/$server/maps")" = 1 ] || fail "the C module was loaded twice"
    printf 'require "cjson"\nhttp.add_url("/v/", function() return "again" end)\n' >app.lua
    reloads
    expect_answer 200 again "$url/v/"
    finish_server
fi

# --- the socket: nobody else may ask; a place that is taken is not taken over --------------------
begin
[ "$(stat -c %a "$control")" = 600 ] || fail "mode of the socket: $(stat -c %a "$control")"
code=0
"$program" run app.lua -p 0 --control "$control" >/dev/null 2>other || code=$?
[ "$code" = 4 ] && grep -q 'another process listens there' other || fail "code $code: $(cat other)"
ctl drain >said || fail "ctl drain: $(cat said)"
wait_end
expect_code 0
[ ! -e "$control" ] || fail "the socket is left"
finish reload
