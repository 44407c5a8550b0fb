#!/bin/sh
# A saved file is a reload, in every way in which files are saved; by inotify and by polling.
# ctest-timeout: 180
. "$(dirname -- "$0")/lib.sh"
cd "$work"
control=$work/control

ctl() { "$program" ctl --control "$control" "$@"; }
answers() { [ "$(curl -s --max-time 5 "$url/v/")" = "$1" ]; }
expect() { until_true 10 answers "$1" || fail "$2: '$(curl -s "$url/v/")', wanted '$1'"; }
count() { ctl status | sed -n 's/^reloads \([0-9]*\) done.*/\1/p'; }
finish_server() {
    ctl stop >/dev/null
    wait_end
    expect_code 0
}

follow() { # HOW: every way of saving
    rm -rf ./*.lua sub other real
    mkdir sub
    cat >app.lua <<'LUA'
local m = require "sub.m"
local d = dofile "d.lua"
local f = assert(loadfile "f.lua")()
http.add_url("/v/", function() return m .. d .. f end)
LUA
    echo 'return "m1"' >sub/m.lua
    echo 'return "d1"' >d.lua
    echo 'return "f1"' >f.lua
    start run app.lua -p 0 --control "$control" "$1" --workers 2
    expect m1d1f1 "at first"
    echo 'return "m2"' >sub/m.lua && expect m2d1f1 "$1: a required file"
    echo 'return "d2"' >d.lua && expect m2d2f1 "$1: dofile"
    echo 'return "f2"' >f.lua && expect m2d2f2 "$1: loadfile"
    for i in 3 4 5 6; do # the first rename is easy; the later ones lose a watch on the file
        echo "return \"m$i\"" >sub/m.tmp && mv sub/m.tmp sub/m.lua
        expect "m${i}d2f2" "$1: renamed over, $i"
    done
    sed -i 's/m \.\. d/"+" .. m .. d/' app.lua && expect +m6d2f2 "$1: the script itself"
    # Cut to nothing, and the writer is long in coming: nothing is loaded before it has come.
    before=$(count)
    { sleep 0.2 && echo 'return "ms"'; } >sub/m.lua && expect +msd2f2 "$1: written slowly"
    [ "$(count)" = $((before + 1)) ] || fail "$1: an empty file was loaded"
    # Half written: what is there is broken, then whole.
    printf 'return "m' >sub/m.lua
    until_true 10 grep -q broken err || fail "$1: a half-written file is no error"
    answers +msd2f2 || fail "$1: a half-written file changed the answer"
    echo 'return "m7"' >sub/m.lua && expect +m7d2f2 "$1: then whole"
    # Removed and made again; its folder too.
    rm sub/m.lua
    echo 'return "m8"' >sub/m.lua && expect +m8d2f2 "$1: removed and made again"
    mv sub other && mkdir sub
    echo 'return "m9"' >sub/m.lua && expect +m9d2f2 "$1: another folder"
    rm -r sub && mv other sub && expect +m8d2f2 "$1: a folder renamed back"
    # Symbolic links: the file behind it, and the link itself.
    mkdir real && echo 'return "d3"' >real/one.lua && echo 'return "d4"' >real/two.lua
    ln -s real/one.lua link.tmp && mv -T link.tmp d.lua && expect +m8d3f2 "$1: a link"
    echo 'return "d5"' >real/one.lua && expect +m8d5f2 "$1: behind a link"
    ln -s real/two.lua link.tmp && mv -T link.tmp d.lua && expect +m8d4f2 "$1: a link switched"
    ln -sfn real/one.lua d.lua && expect +m8d5f2 "$1: a link made anew"
    # A touch is no reload.
    before=$(count)
    touch sub/m.lua d.lua app.lua
    sleep 0.3
    [ "$(count)" = "$before" ] || fail "$1: a touch is a reload"
    # A module that was missing when it was looked for.
    echo 'return require "later"' >f.lua
    until_true 10 grep -q "module 'later' not found" err || fail "$1: a missing module is no error"
    echo 'return "f3"' >later.lua && expect +m8d5f3 "$1: a module that was missing"
    finish_server
}
follow --watch
follow --watch=poll:20

# --- two saves during one reload: the last one counts --------------------
# Each load says that it has begun and waits for the gate.
save_gated() {
    cat >app.tmp <<LUA
assert(io.open("begun", "w")):close()
while not io.open("gate") do http.sleep(0.005) end
http.add_url("/v/", function() return "$1" end)
LUA
    mv app.tmp app.lua
}
touch gate
save_gated 1
start run app.lua -p 0 --control "$control" --watch
for i in 2 5; do
    rm -f gate begun
    save_gated $i
    until_true 20 test -e begun || fail "the load of a save has not begun"
    save_gated $((i + 1))
    save_gated $((i + 2))
    touch gate
    expect $((i + 2)) "two saves during a load, the last one"
    answers $((i + 2)) || fail "two saves during a load: an older one came later"
done
finish_server

# --- a storm of saves while streams hold older generations: the newest one wins -----------------
cat >app.lua <<'LUA'
http.add_url("/v/", function() return "0" end)
http.add_url("/events/", function()
    return function(stream) while true do stream:write("data: x\n\n") http.sleep(0.01) end end
end)
LUA
start run app.lua -p 0 --control "$control" --watch --drain 0.2 --workers 2
for i in 1 2 3 4; do
    curl -sN --max-time 20 "$url/events/" >/dev/null &
    for k in 1 2 3 4 5 6 7 8 9 10; do
        sed "s/return \"[0-9]*\"/return \"$i$k\"/" app.lua >app.tmp && mv app.tmp app.lua
    done
done
expect 410 "a storm of saves"
before=$(count)
sleep 0.3
answers 410 || fail "an older save came later"
[ "$(count)" = "$before" ] || fail "it goes on reloading"
finish_server

# --- a script that writes a file it loads does not reload for ever --------------------
cat >app.lua <<'LUA'
local n = dofile "state.lua"
local f <close> = assert(io.open("state.lua", "w"))
f:write("return ", n + 1)
http.add_url("/v/", function() return "1" end)
LUA
echo 'return 0' >state.lua
start run app.lua -p 0 --control "$control" --watch
until_true 20 grep -q 'written by the script itself' err || fail "the loop was not noticed"
before=$(count)
sleep 0.4
[ "$(count)" = "$before" ] || fail "it reloads for ever"
sed -i 's/"1"/"2"/' app.lua && expect 2 "still followed"
finish_server

# --- a folder of route scripts: one more, one less --------------------
mkdir routes
echo 'return function() return "index" end' >routes/v.lua
start run routes -p 0 --control "$control" --watch
expect index "a folder"
echo 'return function() return "more" end' >routes/more.lua
until_true 10 curl -sf "$url/more/" || fail "a new route script was not seen"
mkdir routes/deep && echo 'return function() return "deep" end' >routes/deep/in.lua
until_true 10 curl -sf "$url/deep/in/" || fail "a new folder was not seen"
rm -r routes/deep routes/more.lua
is_gone() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/more/")" = 404 ]; }
until_true 10 is_gone || fail "a removed route script still answers"
finish_server

# --- patterns --------------------
cat >app.lua <<'LUA'
local f <close> = assert(io.open("page.txt"))
local text = f:read("l")
local d = dofile "d.lua"
http.add_url("/v/", function() return text .. d end)
LUA
rm -f d.lua
echo page1 >page.txt && echo 'return "d1"' >d.lua
start run app.lua -p 0 --control "$control" -w --watch-also '*.txt' --watch-ignore 'd.*'
expect page1d1 "patterns"
echo page2 >page.txt && expect page2d1 "--watch-also"
echo 'return "d2"' >d.lua
sleep 0.3
answers page2d1 || fail "--watch-ignore was not heard"
finish_server

# --- good and broken saves in turn: the last good one always answers --------------------
# MOONLATCH_ALTERNATIONS=1000 for the long run.
echo 'http.add_url("/v/", function() return "0" end)' >app.lua
start run app.lua -p 0 --control "$control" --watch
i=0
while [ $i -lt "${MOONLATCH_ALTERNATIONS:-100}" ]; do
    i=$((i + 1))
    echo "http.add_url('/v/', function() return '$i' end)" >app.tmp && mv app.tmp app.lua
    expect $i "good save $i"
    printf '\n\nbroken %s' $i >app.tmp && mv app.tmp app.lua
    until_true 10 grep -q "app.lua:3: syntax error near '$i'" err || fail "broken save $i not told"
    answers $i || fail "a broken save changed the answer"
done
finish_server
finish watch
