#!/bin/sh
# --json: one object a line, of finished requests too; a reader that does not read holds up nobody.
. "$(dirname -- "$0")/lib.sh"
cd "$work"
cat >app.lua <<'LUA'
http.add_url("/hello/", function() return "hello" end)
http.add_url("/boom/", function() error("x") end)
http.add_url("/slow/", function()
  return function(stream) stream:write("a") http.sleep(0.05) stream:write("b") end
end)
LUA
launch run app.lua -p 0 --json --workers 2
until_true 20 grep -q '"event":"ready"' out || fail "no ready event"
head -n 1 out | grep -q '^{"event":"ready"' || fail "ready is not the first line"
url=http://127.0.0.1:$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' out)
curl -sS "$url/hello/a%22b%C3%A4" "$url/boom/" "$url/nowhere/" "$url/slow/" >/dev/null
curl -sS -X POST -d x "$url/hello/" -o /dev/null
curl -sSI "$url/hello/" -o /dev/null
has_all() { [ "$(grep -c '"event":"request"' out)" = 5 ]; }
until_true 10 has_all || fail "5 requests have an event each (a URL that nobody has gets none)"
stop INT
expect_code 0
node -e '
    const lines = require("fs").readFileSync("out", "utf8").trim().split("\n").map(JSON.parse);
    const want = (method, path, status, least) => {
        const found = lines.filter(l => l.event === "request" && l.method === method &&
            l.path === path && l.status === status && l.gen === 1 && l.ms >= least && l.ms < 60000);
        if (found.length !== 1) throw new Error(method + " " + path + ": " + found.length);
    };
    want("GET", "/hello/a\"b\u00e4", 200, 0);
    want("GET", "/boom/", 500, 0);
    want("GET", "/slow/", 200, 50);
    want("POST", "/hello/", 200, 0);
    want("HEAD", "/hello/", 200, 0);
    const last = lines[lines.length - 1];
    if (last.event !== "summary" || last.exit !== 0) throw new Error("the last line");' ||
    fail "the events: $(cat out)"

# Nobody reads: the pipe is full after some hundred requests and the ring after some thousand.
mkfifo pipe
tail -f /dev/null <pipe &
sleeper=$!
: >err
"$program" run app.lua -p 0 --json --ready-file ready >pipe 2>err &
server=$!
until_true 20 test -s ready || fail "no ready file"
url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' ready)
for _ in 1 2 3 4 5 6; do
    curl -sS --max-time 30 "$url/hello/[1-1000]" -o /dev/null ||
        fail "a reader that stands holds up"
done
curl -sS --max-time 30 "$url/hello/" >answer || fail "a reader that stands holds up"
[ "$(cat answer)" = hello ] || fail "$(cat answer)"
exec 4<pipe # another reader, before the first one goes
kill "$sleeper"
cat <&4 >out &
reader=$!
exec 4<&-
is_told() { # the count comes with the next line that gets in
    curl -sS "$url/hello/" -o /dev/null
    grep -q '"event":"dropped","count":[1-9]' out
}
until_true 10 is_told || fail "nothing says what was dropped"
curl -sS --max-time 30 "$url/hello/[1-4000]" >/dev/null # once around the ring
stop INT
expect_code 0
wait "$reader"
tail -n 1 out | grep -q '"event":"summary","exit":0' || fail "the last line"
node -e 'require("fs").readFileSync("out", "utf8").trim().split("\n").map(JSON.parse)' ||
    fail "a torn line"

# And the end comes although nobody reads.
tail -f /dev/null <pipe &
sleeper=$!
rm -f ready
"$program" run app.lua -p 0 --json --ready-file ready >pipe 2>err &
server=$!
until_true 20 test -s ready || fail "no ready file"
url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' ready)
curl -sS --max-time 30 "$url/hello/[1-2000]" -o /dev/null
stop INT
expect_code 0
kill "$sleeper"
finish json
