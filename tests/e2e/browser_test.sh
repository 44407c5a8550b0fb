#!/bin/sh
# A real browser in front of moonlatch dev: the error page goes away when the script is mended,
# pages refresh themselves after a reload and after a restart, a banner comes and goes, and nothing
# that a peer has put into an error runs. Needs chromium (Debian package of that name).
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"
cd "$work"
browser=$(command -v chromium || command -v chromium-browser) || {
    say "skipped: there is no chromium"
    exit 77
}
port=$(free_port)
control=$work/control
serve() {
    launch dev app.lua -p "$port" --control "$control"
    url=http://127.0.0.1:$port
}
is_told() { [ "$(grep -c "$1" err)" -ge "$2" ]; }
tell() { until_true 30 is_told "$1" "${2:-1}" || fail "stderr never has ${2:-1} lines like: $1"; }

# page N: the page tells the server that it is shown, and when a banner is.
page() {
    cat >tmp.lua <<LUA
local page = [[<!doctype html><title>page</title><p>$1</p><script>
var shown = "";
function look() {
  var banner = document.getElementById("moonlatch-stale");
  var text = banner ? banner.textContent : "gone";
  if (text !== shown) { shown = text; fetch("/told/?banner=" + encodeURIComponent(text)); }
}
new MutationObserver(look).observe(document, { childList: true, subtree: true });
fetch("/told/?page=$1");
</script>]]
http.add_url("/", function()
  return 200, { ["content-type"] = "text/html" }, page
end)
http.add_url("/told/", function(request)
  print(request.query.page and "page " .. request.query.page or "banner " .. request.query.banner)
end)
http.add_url("/boom/", function() ${2-} return 200, { ["content-type"] = "text/html" }, page end)
LUA
    mv tmp.lua app.lua
}
open_page() { # PATH: in a new browser
    "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --disable-dev-shm-usage --remote-debugging-port=0 --user-data-dir="$work/profile-$2" \
        "http://localhost:$port$1" >"$work/browser" 2>&1 &
    opened=$!
    until_true 30 is_connected || fail "the browser does not come"
}
# Somebody has a connection to the server (state 01 is ESTABLISHED).
is_connected() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf ':%04X' "$port")" '
            substr($2, length($2) - 4) == port && $4 == "01" { found = 1 } END { exit !found }'
}
close_page() {
    kill "$opened" 2>/dev/null || true
    wait "$opened" || true
    until_true 10 rm -rf "$work"/profile-* || fail "the browser does not go"
}

# The first load fails: the error page, until the script is there.
echo 'x = = 1' >app.lua
serve
tell ' broken '
open_page / 1
page 1
tell '^page 1$'
# A reload.
page 2
tell '^page 2$'
# A broken save: a banner in the page that is open, gone when the save is taken back.
cp app.lua good.lua
echo 'y = = 1' >>app.lua
tell "^banner app.lua:[0-9]*: unexpected symbol near '='\$"
page 3
tell '^page 3$'
# The server is gone for a while.
kill -INT "$server"
wait_end
expect_code 0
mv err err1
page 4
serve
tell '^page 4$'
close_page
# An error with markup in it: shown, and none of it runs.
evil='fetch(\"/told/?page=evil\")'
page 5 "error(\"<script>$evil</script><img src=x onerror=$evil>\", 0)"
tell ' reload '
open_page /boom/ 2
tell 'GET /boom/: 500'
page 6
tell '^page 6$'
grep -q evil err && ! grep -q '^page evil' err || fail "the error page has run what the error said"
close_page
"$program" ctl --control "$control" stop >/dev/null
wait_end
expect_code 0
finish browser
