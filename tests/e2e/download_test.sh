#!/bin/sh
# scripts/download.lua: files, and bodies made while they are sent.
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"

mkdir "$work/files"
head -c 3000001 /dev/urandom >"$work/files/big.bin"
: >"$work/files/empty.bin"
start run "$root/scripts/download.lua" -p 0 --set folder="$work/files" --trace close
curl -sS --max-time 30 -D "$work/head" -o "$work/got" "$url/files/big.bin" || fail "curl"
cmp "$work/got" "$work/files/big.bin" || fail "other bytes"
grep -qi '^content-length: 3000001' "$work/head" || fail "no length"
grep -qi '^content-disposition: attachment; filename="big.bin"' "$work/head" || fail "no name"
curl -sS --max-time 30 -o "$work/got" "$url/files/empty.bin" || fail "curl, empty"
[ ! -s "$work/got" ] || fail "empty is not empty"
[ "$(ask -o "$work/got" "$url/files/none" | tail -n 1)" = 404 ] || fail "no 404"
[ "$(ask -o "$work/got" --path-as-is "$url/files/../passwd" | tail -n 1)" = 404 ] ||
    fail "no 404 for .."
for bytes in 0 1 10 63999 64000 64001 5000000; do
    curl -sS --max-time 30 "$url/stream/?bytes=$bytes" >"$work/got" || fail "curl, $bytes"
    yes moonlatch | head -c "$bytes" | cmp - "$work/got" || fail "other bytes, $bytes"
done
expect_answer 400 "bytes is a whole number" "$url/stream/?bytes=x"
# A reader that goes away ends the handler, not the server.
curl -sS --max-time 1 --limit-rate 10k "$url/stream/?bytes=100000000" >/dev/null 2>&1 || true
expect_answer 200 "moonlatch" "$url/stream/?bytes=10"
stop TERM
expect_code 0
expect_closed 4
finish "download"
