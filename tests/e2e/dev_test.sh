#!/bin/sh
# moonlatch dev: error pages in the form that the client asks for, what answers say while a broken
# save is not live, pages that refresh themselves, and a first load that fails.
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"
cd "$work"
control=$work/control
html='Accept: text/html,application/xhtml+xml,*/*;q=0.8'

ctl() { "$program" ctl --control "$control" "$@"; }
has() { printf '%s' "$got" | grep -Eq -- "$1" || fail "$2: no '$1' in: $got"; }
has_not() { ! printf '%s' "$got" | grep -Eq -- "$1" || fail "$2: '$1' in: $got"; }
# get ARGS...: head and body in $got.
get() { got=$(curl -sS --max-time 10 -i "$@" | tr -d '\r'); }
# The body has as many bytes as Content-Length says.
expect_length() {
    curl -sS --max-time 10 -D fields -o body "$@"
    said=$(tr -d '\r' <fields | sed -n 's/^[Cc]ontent-[Ll]ength: //p')
    [ "$said" = "$(wc -c <body | tr -d ' ')" ] || fail "$*: Content-Length $said: $(cat body)"
}
save() { cat >tmp.lua && mv tmp.lua app.lua; }
break_it() { { cat app.lua; printf 'local tax = = 1\n'; } >tmp.lua && mv tmp.lua app.lua; }
is_told() { [ "$(grep -c "$1" err)" -ge "$2" ]; }
tell() { until_true 10 is_told "$1" "${2:-1}" || fail "stderr never has $2 lines like: $1"; }
listen() { # FILE: an event stream into it, until it ends
    : >"$1"
    curl -sN --max-time 60 "$url/_moonlatch/dev/events" >"$1" &
    listener=$!
    until_true 10 grep -q data "$1" || fail "no event at first"
}
is_over() { ! kill -0 "$listener" 2>/dev/null; }
expect_over() { # the stream ends by itself, uncut
    until_true 10 is_over || fail "$1: the stream still runs"
    wait "$listener" || fail "$1: the stream was cut"
}
finish_server() {
    ctl stop >/dev/null
    wait_end
    expect_code 0
}

good() {
    save <<'LUA'
local page = "<html><body><p>one</p></body></html>"
local html = { ["content-type"] = "text/html; charset=utf-8" }
http.add_url("/", function() return 200, html, page end)
http.add_url("/no-body/", function() return 200, { ["Content-Type"] = "TEXT/HTML" }, "<p>x" end)
http.add_url("/length/", function()
  return 200, { ["content-type"] = "text/html", ["content-length"] = #page }, page
end)
http.add_url("/text/", function() return "text </body>" end)
http.add_url("/json/", function() return { a = 1 } end)
http.add_url("/coded/", function()
  return 200, { ["content-type"] = "text/html", ["content-encoding"] = "gzip" }, "</body>"
end)
http.add_url("/sum/", function()
  return 200, { ["content-type"] = "text/html", ["content-md5"] = "x" }, "</body>"
end)
http.add_url("/part/", function()
  return 206, { ["content-type"] = "text/html", ["content-range"] = "bytes 0-6/9" }, "</body>"
end)
http.add_url("/stream/", function()
  return 200, html, function(s) s:write("</bo") s:write("dy>") end
end)
http.add_url("/file/", function() return http.file("page.html") end)
http.add_url("/none/", function() end)
http.add_url("/many/", function()
  local many = { ["content-type"] = "text/html" }
  for i = 1, 8 do many["x-field-" .. i] = "y" end
  return 200, many, page
end)
http.add_url("/boom/", function(request)
  local order
  return order.total
end)
http.add_url("/xss/", function(request) error(request.query.say, 0) end)
http.add_url("/value/", function() return nil, { status = 409 } end)
LUA
}

# --- run gives nothing away --------------------
good
printf '<p>file</body>' >page.html
start run app.lua -p 0 --control "$control"
expect_answer 200 '<html><body><p>one</p></body></html>' "$url/"
get -H "$html" "$url/boom/"
has '^HTTP/1.1 500 ' run
has_not 'app.lua|order|traceback|html' run
get "$url/_moonlatch/dev/refresh.js"
has_not EventSource run
finish_server

# --- errors of handlers --------------------
start dev app.lua -p 0 --control "$control" --workers 2 --drain 60
get "$url/boom/"
has '^HTTP/1.1 500 Internal' text
has '^Content-Type: text/plain' text
has "app.lua:[0-9]+: attempt to index a nil value \(local 'order'\)" text
has '^> +[0-9]+ \|   return order.total$' text
has '^ +\|          \^$' text
has 'stack traceback:' text
has '^gen 1  error 1-[01]-1$' text
get -H "$html" "$url/boom/"
has '^Content-Type: text/html' html
has '^Content-Security-Policy: default-src .none.' html
has '<b> +[0-9]+ \|   return order.total</b>' html
has '<script src="/_moonlatch/dev/refresh.js" data-version="[0-9a-f]+\.1" defer></script>' html
[ "$(printf '%s' "$got" | grep -c '<script')" = 1 ] || fail "an error page with two scripts"
get -H 'Accept: application/json' "$url/boom/"
has '^Content-Type: application/json' json
curl -sS -H 'Accept: application/json' "$url/boom/" | node -e '
    const answer = JSON.parse(require("fs").readFileSync(0));
    const wanted = ["error", "file", "line", "column", "source", "traceback", "generation", "id"];
    for (const name of wanted) if (answer[name] === undefined) throw new Error("no " + name);
    if (answer.file !== "app.lua" || answer.source.slice(answer.column - 1, -6) !== "order")
        throw new Error(JSON.stringify(answer));' || fail "JSON"
# What a peer has put into a message is shown, never run, and names no file that is not ours.
get -H "$html" -G --data-urlencode 'say=<script>alert(1)</script>"&' "$url/xss/"
has '&lt;script&gt;alert\(1\)&lt;/script&gt;&quot;&amp;' xss
has_not '<script>' xss
get -G --data-urlencode 'say=/etc/passwd:1: x' "$url/xss/"
has '^/etc/passwd:1: x$' 'a file that is not ours'
has_not 'root:' 'a file that is not ours'
get "$url/value/"
has '^HTTP/1.1 409 ' value
get -I -H "$html" "$url/boom/"
has '^HTTP/1.1 500 ' HEAD

# --- what goes into answers, and what does not --------------------
tag='<script src="/_moonlatch/dev/refresh.js" data-version="[0-9a-f]+\.1" defer></script>'
get "$url/"
has "<p>one</p>$tag</body></html>\$" 'before the end of body'
get "$url/no-body/"
has "<p>x$tag\$" 'at the end'
get "$url/many/"
has "$tag" 'many fields'
for path in / /no-body/ /length/ /many/; do
    expect_length "$url$path"
    get=$(wc -c <body)
    length=$(curl -sSI "$url$path" | tr -d '\r' | sed -n 's/^Content-Length: //p')
    [ "$length" = "$((get))" ] || fail "HEAD $path says $length, GET has $get"
done
expect_answer 200 'text </body>' "$url/text/"
expect_answer 200 '{"a":1}' "$url/json/"
expect_answer 200 '</body>' "$url/coded/"
expect_answer 200 '</body>' "$url/sum/"
expect_answer 206 '</body>' "$url/part/"
expect_answer 200 '</body>' "$url/stream/"
expect_answer 200 '<p>file</body>' "$url/file/"
expect_answer 204 '' "$url/none/"
expect_answer 200 '<html><body><p>one</p></body></html>' -H 'Sec-Fetch-Dest: empty' "$url/"
get -H 'Sec-Fetch-Dest: document' "$url/"
has "$tag" 'a page that is opened'
get "$url/_moonlatch/dev/refresh.js"
has '^Content-Type: text/javascript' 'the script'
has 'EventSource' 'the script'
printf '%s' "$got" | sed '1,/^$/d' >refresh.js
node --check refresh.js || fail "the refresh script is no JavaScript"

# --- a broken save --------------------
listen events
grep -q '"version":"[0-9a-f]*\.1","broken":null' events || fail "the first event"
{ cat app.lua; printf 'error("a\\r\\nb\\195\\164 <script>")\n'; } >tmp.lua && mv tmp.lua app.lua
tell ' broken  app.lua:[0-9]*: a'
until_true 10 grep -q '"broken":"app.lua:[0-9]*: a' events || fail "a broken save is no event"
for path in / /text/ /json/ /stream/ /file/ /none/ /many/; do
    get "$url$path"
    has '^Moonlatch-Stale: app\.lua:[0-9]+: a\??$' "$path while broken"
done
get -H 'Accept: application/json' "$url/boom/"
has '^Moonlatch-Stale: ' 'an error while broken'
good
tell ' reload  app.lua  gen 1 -> 3  [0-9.]* ms.*  mended after [0-9.]* s'
expect_over 'a reload'
until_true 10 grep -q '"version":"[0-9a-f]*\.3","broken":null' events || fail "a reload is no event"
listen events
break_it
tell 'unexpected symbol near .=.  gen 3 keeps serving'
stale="Moonlatch-Stale: app.lua:[0-9]+: unexpected symbol near '='"
get "$url/"
has "^$stale\$" page
has '<div id="moonlatch-stale" [^>]*>app.lua:[0-9]+: unexpected symbol near &#39;=' page
has '&#39;</div><script src=' page
for path in / /no-body/ /length/ /many/; do expect_length "$url$path"; done
get -I "$url/"
has "^$stale\$" HEAD
expect_answer 200 'text </body>' "$url/text/"
expect_answer 200 '</body>' "$url/stream/"
expect_answer 200 '<p>file</body>' "$url/file/"
until_true 10 grep -q '"broken":"app.lua:.*unexpected' events || fail "a broken save is no event"
good
tell 'gen 3 -> 5'
get "$url/"
has_not 'Moonlatch-Stale|moonlatch-stale' mended
has 'data-version="[0-9a-f]+\.5"' mended
expect_over 'a reload'

# --- an open event stream holds nothing up --------------------
listen events
tell ' closed  gen 3 ' 1
grep ' closed  gen' err | grep -v ' 0 left$' && fail "something was left"
grep 'in flight' err && fail "an event stream counts as a request"
kill -INT "$server"
wait_end
expect_code 0
expect_over 'the end'
expect_err '^exit 0: stopped by SIGINT$'

# --- no more streams than there is room for --------------------
start dev app.lua -p 0 --control "$control"
i=0
while [ $i -lt 32 ]; do
    i=$((i + 1))
    curl -sN --max-time 60 "$url/_moonlatch/dev/events" >"events$i" &
done
all_listen() { for n in 1 8 16 24 32; do grep -q data "events$n" || return 1; done; }
until_true 20 all_listen || fail "32 streams"
is_full() {
    [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 1 "$url/_moonlatch/dev/events")" = 503 ]
}
until_true 10 is_full || fail "a 33rd stream"
finish_server

# --- the script's own URL there wins --------------------
echo 'http.add_url("/_moonlatch/dev/", function() return "mine" end)
http.add_url("/", function() return 200, { ["content-type"] = "text/html" }, "<p>" end)' >app.lua
start dev app.lua -p 0 --control "$control"
expect_answer 200 mine "$url/_moonlatch/dev/events"
expect_answer 200 '<p>' "$url/"
echo '-- another' >>app.lua
tell 'gen 1 -> 2'
[ "$(grep -c 'pages do not refresh themselves' err)" = 1 ] || fail "not said once"
finish_server

# --- full URLs have it too --------------------
own=$(free_port)
echo "http.add_url('http://localhost:$own/', function()
  return 200, { ['content-type'] = 'text/html' }, '<p>' end)" >app.lua
start dev app.lua -p 0 --control "$control"
[ "$port" = "$own" ] || fail "the ready line says $url"
get "http://localhost:$own/"
has 'refresh.js' 'a full URL'
get "http://localhost:$own/_moonlatch/dev/refresh.js"
has EventSource 'a full URL'
finish_server

# --- --on-bad-reload fail --------------------
good
start dev app.lua -p 0 --control "$control" --on-bad-reload fail --workers 2
listen events
break_it
tell 'unexpected symbol near .=.  http://localhost:[0-9]* answers 503 until it is mended'
for i in 1 2 3 4; do
    get -H "$html" "$url/"
    has '^HTTP/1.1 503 ' fail
    has '<b> +[0-9]+ \| local tax = = 1</b>' fail
    has '<b> +\|             <u>\^</u></b>' fail
    has 'data-version="[0-9a-f]+!1"' fail
done
get -H 'Accept: application/json' "$url/nowhere-else/"
has '"line":[0-9]+,"column":13,' fail
until_true 10 grep -q '"version":"[0-9a-f]*!1"' events || fail "an outage is no event"
good
tell 'gen 1 -> 3'
expect_answer 200 'text </body>' "$url/text/"
until_true 10 grep -q '"version":"[0-9a-f]*\.3"' events || fail "its end is no event"
finish_server
start run app.lua --watch -p 0 --control "$control" --on-bad-reload fail
break_it
tell ' broken '
expect_answer 503 'Service Unavailable' -H "$html" "$url/"
good
tell 'gen 1 -> 3'
expect_answer 200 'text </body>' "$url/text/"
finish_server

# --- the first load fails --------------------
printf 'local m = require "sub"\nhttp.add_url("/", function() return m end)\n' >app.lua
printf 'return = 1\n' >sub.lua
port=$(free_port)
url=http://127.0.0.1:$port
launch dev app.lua -p "$port" --control "$control" --json
tell "broken  ./sub.lua:1: unexpected symbol near '='  error loading module "
tell "http://localhost:$port answers 503 until it is mended"
event='"event":"error",.*"file":"./sub.lua","line":1,.*"gen":0,"status":503'
until_true 10 grep -q "$event" out || fail "no event"
grep -q '"event":"ready"' out && fail "ready before anything serves"
get -H "$html" "$url/any/where"
has '^HTTP/1.1 503 ' 'first load'
has '<b>    1 \| return = 1</b>' 'first load'
launch_pid=$server
"$program" run app.lua -p "$port" >/dev/null 2>&1 && fail "the port is free"
code=0
"$program" dev app.lua -p "$port" >/dev/null 2>err2 || code=$?
expect_code 4
grep -q 'in use by moonlatch' err2 || fail "the holder is not named"
server=$launch_pid
printf 'return nil +\n' >sub.lua
tell ' broken ' 2
printf 'return "mended"\n' >sub.lua
until_true 10 grep -q '"event":"ready"' out || fail "never ready"
expect_answer 200 mended "$url/"
expect_err ' reload  sub.lua  gen [0-9]*  [0-9.]* ms  mended after '
grep ' closed ' err && fail "the stand-in is told"
ctl rollback >/dev/null && fail "a way back to what never served"
ctl tree | grep -q '/_moonlatch/dev/' || fail "the host's URL is not in the tree"
kill -INT "$server"
wait_end
expect_code 0
# Nothing is open yet; then a stop while nothing serves, and what cannot be mended by a save.
: >app.lua
launch dev app.lua -p 0 --control "$control"
tell 'nothing is open after loading'
kill -INT "$server"
wait_end
expect_code 0
for line in 'dev nosuch.lua' 'run nosuch.lua' 'check nosuch.lua'; do
    # shellcheck disable=SC2086
    launch $line
    wait_end
    expect_code 5
    expect_err 'nosuch.lua: No such file'
done
echo 'x = = 1' >app.lua
launch run app.lua --watch -p 0
wait_end
expect_code 3
launch dev -e 'x = = 1'
wait_end
expect_code 3

# --- a script that counts on locals is told so, once --------------------
cat >modest.lua <<'LUA'
local http, greeting, app, memo = require "http", "hello", http.router(), nil
local weak, constant = setmetatable({}, { __mode = "k" }), { "a", b = 2 }
local function remember() memo = memo or { 1 } weak[memo] = 1 return greeting .. memo[1] end
app:get("/", function() return remember() .. constant[1] end)
http.add_url("/", app)
-- 1
LUA
echo 'return { seen = 0 }' >tally.lua
cat >forgetful.lua <<'LUA'
local tally = require "tally"
local app = http.router()
local names = { "a", "b" }
local function count(name)
  names[#names + 1] = name
end
app:get("/:name", function(request) count(request.params.name) return "ok\n" end)
app:get("/tally/", function() tally.seen = tally.seen + 1 return "ok\n" end)
http.add_url("/", app)
-- 1
LUA
closed_gen() { grep -q "closed  gen $1 " err; }
edit() { # FILE GEN: GEN has ended by then
    { cat "$1" && echo '--'; } >tmp.lua && mv tmp.lua "$1"
    until_true 20 closed_gen "$2" || fail "gen $2 of $1 is not closed"
}
for path in '' ' /x' ' /tally/'; do
    script=${path:+forgetful.lua}
    script=${script:-modest.lua}
    start dev "$script" --control "$control" --workers 2
    for i in 1 2 3 4 5 6; do curl -sS --max-time 10 -o body "$url${path# }"; done
    edit "$script" 1
    for i in 1 2 3 4 5 6; do curl -sS --max-time 10 -o body "$url${path# }"; done
    edit "$script" 2
    notes=$(grep -c 'begins anew with each reload' err || true)
    case $path in
    '') [ "$notes" = 0 ] || fail "a note about nothing: $(cat err)" ;;
    ' /x')
        [ "$notes" = 1 ] || fail "$notes notes about names"
        expect_err "at forgetful.lua:4 has [0-9]+ entries in the local 'names', which begins anew"
        ;;
    *)
        [ "$notes" = 1 ] || fail "$notes notes about tally"
        expect_err "at forgetful.lua:8 has seen = [1-6] in the local 'tally', which begins anew"
        ;;
    esac
    finish_server
done

# --- check: what stands at one place --------------------
mkdir -p routes/users
for file in users.lua users/index.lua 'users/[id].lua' 'users/[name].lua' 'users/new.lua'; do
    echo 'return function() end' >"routes/$file"
done
launch check routes
wait_end
expect_code 0
expect_err 'users/index.lua:1: warning: route /users/ is that of routes/users.lua \(/users/\) too'
expect_err 'users/\[name\].lua:1: warning: route /users/:name is that of .*\[id\].lua .* too'
expect_err '5 scripts, 0 errors, 2 warnings'
finish dev
