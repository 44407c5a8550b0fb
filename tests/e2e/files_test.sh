#!/bin/sh
# http.file while files change, and while they are sent: an answer is one file, whole.
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"

mkdir "$work/files"
cat >"$work/app.lua" <<'LUA'
local folder = http.arg.folder
local held
http.add_url("/file/", function(request)
  return http.file(folder .. request.path:sub(6))
end)
http.add_url("/hold", function()
  held = held or assert(http.file(folder .. "/large"))
  return held
end)
http.add_url("/drop", function()
  if not held then return 404 end -- another worker has it
  http.file(folder .. "/large"):close() -- it is another one now: the cache lets go of the old one
  held:close()
  held = nil
end)
LUA

# get NAME: the file as it is served now must be the file as it is now.
get() {
    curl -sS --max-time 30 -D "$work/head" -o "$work/got" "$url/file/$1" || fail "curl, $1"
    cmp "$work/got" "$work/files/$1" || fail "$1: other bytes"
    grep -qi "^content-length: $(wc -c <"$work/files/$1")" "$work/head" || fail "$1: other length"
}

fill() { head -c "$2" /dev/urandom >"$work/files/$1"; }
descriptors() { find "/proc/$server/fd" -type l | wc -l; }

fill small 1000
fill middle 20000
fill large 24000000
start run "$work/app.lua" -p 0 --set folder="$work/files" --workers 2 --trace close

# Every way to change a file is seen by the next request, on whichever worker.
for name in small middle; do
    for i in 1 2 3 4 5 6 7 8; do
        get "$name"
        fill "$name" "$((i * 777))" # in place
        get "$name"
        fill new "$((i * 1111))"
        mv "$work/files/new" "$work/files/$name"
        get "$name"
        printf 'x' >>"$work/files/$name"
        get "$name"
    done
    curl -sS -I --max-time 30 "$url/file/$name" >"$work/head"
    grep -qi "^content-length: $(wc -c <"$work/files/$name")" "$work/head" || fail "HEAD: length"
    mv "$work/files/$name" "$work/files/away"
    [ "$(ask -o "$work/got" "$url/file/$name" | tail -n 1)" = 404 ] || fail "no 404"
    mv "$work/files/away" "$work/files/$name"
    get "$name"
done

# A file is closed by the script while it is sent, and others are opened: the rest still comes.
curl -sS --max-time 60 --limit-rate 12M -o "$work/slow" "$url/hold" &
reader=$!
until_true 20 test -s "$work/slow" || fail "no byte of the slow one"
mv "$work/files/large" "$work/files/old"
fill large 1000
is_dropped() { [ "$(ask "$url/drop" | tail -n 1)" = 204 ]; }
until_true 20 is_dropped || fail "it was not closed"
for i in 1 2 3 4 5 6 7 8; do
    fill "other$i" 30000
    get "other$i"
done
wait "$reader" || fail "the slow reader was cut off"
cmp "$work/slow" "$work/files/old" || fail "the slow reader got other bytes"

# What one file costs: a descriptor a worker, however often it is asked for.
before=$(descriptors)
for i in 1 2 3 4 5 6 7 8 9 10; do get middle; done
[ "$(descriptors)" -le $((before + 2)) ] || fail "$before descriptors have become $(descriptors)"
stop TERM
expect_code 0
expect_closed 4
finish "files"
