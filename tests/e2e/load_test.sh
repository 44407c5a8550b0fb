#!/bin/sh
# SIGTERM under load: 64 busy connections, a download and an upload under way. No accepted request
# goes without its whole answer, and everything is closed in order.
# ctest-timeout: 240
. "$(dirname -- "$0")/lib.sh"

command -v wrk >/dev/null || { say "wrk is not here"; exit 77; }
mkdir "$work/files"
cat >"$work/app.lua" <<'LUA'
local here = http.arg.scripts
http.add_url("/hello/", function(request) return "hello\n" end)
assert(loadfile(here .. "/upload.lua"))()
assert(loadfile(here .. "/download.lua"))()
LUA
head -c 30000000 /dev/zero | tr '\0' 'u' >"$work/up"

# Whether wrk has all its connections: 01 is ESTABLISHED, in either table.
has_load() {
    at=$(printf ':%04X' "$port")
    count=$(cat /proc/net/tcp /proc/net/tcp6 | awk -v at="$at" '
        $4 == "01" && substr($2, length($2) - 4) == at { n++ } END { print n + 0 }')
    [ "$count" -ge 64 ]
}

# round WORKERS
round() {
    start run "$work/app.lua" -p 0 --workers "$1" --set folder="$work/files" \
        --set scripts="$root/scripts" --trace close --drain 60
    rm -f "$work/files/up"
    wrk -c 64 -t 2 -d 30 "$url/hello/" >"$work/wrk" 2>&1 &
    load=$!
    curl -sS --limit-rate 8M --max-time 60 -w '%{http_code}\n' -T "$work/up" "$url/upload/up" \
        >"$work/up.said" 2>&1 &
    up=$!
    curl -sS --limit-rate 8M --max-time 60 -o "$work/down" -w '%{http_code}\n' \
        "$url/stream/?bytes=30000000" >"$work/down.said" 2>&1 &
    down=$!
    # A request at a time, each either answered whole or never accepted.
    (
        while answer=$(curl -sS --max-time 30 "$url/hello/" 2>"$work/one.err"); do
            [ "$answer" = hello ] || { echo "half an answer: $answer" >"$work/one.bad"; break; }
        done
        grep -q 'refused\|Couldn.t connect\|Could not connect\|Failed to connect' "$work/one.err" ||
            cp "$work/one.err" "$work/one.bad"
    ) &
    one=$!
    has_some() { [ "$(wc -c <"$work/down")" -gt 1000000 ]; }
    until_true 20 has_some || fail "the download does not move"
    until_true 20 has_load || fail "the load does not connect"
    kill -TERM "$server"
    wait_end
    expect_code 0
    expect_closed 8
    wait $up || fail "the upload was cut: $(cat "$work/up.said")"
    grep -q '^201$' "$work/up.said" || fail "the upload: $(cat "$work/up.said")"
    cmp "$work/up" "$work/files/up" || fail "other bytes came up"
    wait $down || fail "the download was cut: $(cat "$work/down.said")"
    yes moonlatch | head -c 30000000 | cmp - "$work/down" || fail "other bytes came down"
    wait $one || true
    [ ! -s "$work/one.bad" ] || fail "one request at a time: $(cat "$work/one.bad")"
    kill -INT $load 2>/dev/null || true
    wait $load || true
    # wrk counts connections that close between two answers as read errors; what must not be is a
    # broken answer or a status of ours.
    ! grep -q 'Non-2xx' "$work/wrk" || fail "refused under load: $(cat "$work/wrk")"
    grep -q 'requests in' "$work/wrk" || fail "no load: $(cat "$work/wrk")"
    rm -f "$work/down"
}

round 1
round 2
finish "stopped under load"
