#!/bin/sh
# scripts/upload.lua: what arrives is what was sent, whole or not at all.
# ctest-timeout: 120
. "$(dirname -- "$0")/lib.sh"

mkdir "$work/files"
start run "$root/scripts/upload.lua" -p 0 --set folder="$work/files" --trace close
printf 'Wikipedia' >"$work/small"
expect_answer 201 "small 9 bytes adler32 11e60398" -T "$work/small" "$url/upload/small"
cmp "$work/small" "$work/files/small" || fail "other bytes"
: >"$work/empty"
expect_answer 201 "empty 0 bytes adler32 00000001" -T "$work/empty" "$url/upload/empty"
head -c 3000001 /dev/urandom >"$work/big"
ask -T "$work/big" "$url/upload/big" >"$work/said" || fail "curl"
grep -q '^big 3000001 bytes adler32 ' "$work/said" || fail "said $(cat "$work/said")"
cmp "$work/big" "$work/files/big" || fail "other bytes"
# The same bytes with unknown length (chunked): the same sum.
ask -T - -H 'Expect:' "$url/upload/chunked" <"$work/big" >"$work/said2" || fail "curl, chunked"
[ "$(sed -n 's/.*adler32 //p' "$work/said")" = "$(sed -n 's/.*adler32 //p' "$work/said2")" ] ||
    fail "another sum"
cmp "$work/big" "$work/files/chunked" || fail "other bytes, chunked"
expect_answer 400 "PUT /upload/NAME, with letters, digits, '.', '_' and '-'" \
    -T "$work/small" "$url/upload/.hidden"
expect_answer 405 "PUT a file to /upload/NAME" "$url/upload/small"
# A client that goes away in the middle leaves nothing behind.
curl -sS --max-time 1 --limit-rate 100k -T "$work/big" "$url/upload/cut" >/dev/null 2>&1 || true
no_parts() { [ -z "$(find "$work/files" -name '.*part')" ]; }
until_true 20 no_parts || fail "left behind: $(ls -A "$work/files")"
[ ! -e "$work/files/cut" ] || fail "a file that has not arrived"
stop TERM
expect_code 0
expect_closed 4
finish "upload"
