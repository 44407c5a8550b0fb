#!/bin/sh
# Bodies of any length in constant memory: BIGBODY_BYTES (default 256 MiB) up and down through the
# scripts, bytes verified, and the process never above 64 MiB. For 2 GiB:
#   BIGBODY_BYTES=2147483648 MOONLATCH=build/release/moonlatch sh tests/e2e/bigbody_test.sh
# ctest-timeout: 600
. "$(dirname -- "$0")/lib.sh"

bytes=${BIGBODY_BYTES:-268435456}
limit_kib=65536
# A sanitizer keeps books of its own; the limit is for the program as it is shipped.
case $(ldd "$program") in *libasan* | *libtsan*) limit_kib=1048576 bytes=$((bytes / 8)) ;; esac
mkdir "$work/files"
yes moonlatch | head -c "$bytes" | sha256sum >"$work/sum"

start run "$root/scripts/upload.lua" -p 0 --set folder="$work/files" --trace close
yes moonlatch | head -c "$bytes" |
    curl -sS -f --max-time 500 -H 'Expect:' -T - "$url/upload/big" >"$work/said" || fail "upload"
grep -q "^big $bytes bytes adler32 " "$work/said" || fail "$(cat "$work/said")"
sha256sum <"$work/files/big" | cmp - "$work/sum" || fail "other bytes came up"
up_kib=$(memory_peak)
stop TERM
expect_code 0
expect_closed 4

start run "$root/scripts/download.lua" -p 0 --set folder="$work/files" --trace close
curl -sS -f --max-time 500 "$url/stream/?bytes=$bytes" | sha256sum | cmp - "$work/sum" ||
    fail "other bytes came down"
stream_kib=$(memory_peak)
curl -sS -f --max-time 500 "$url/files/big" | sha256sum | cmp - "$work/sum" ||
    fail "other bytes came down from the file"
file_kib=$(memory_peak)
# A reader that does not read: the writer waits, memory does not grow.
curl -sS --max-time 3 --limit-rate 1k "$url/stream/?bytes=$bytes" >/dev/null 2>&1 || true
slow_kib=$(memory_peak)
stop TERM
expect_code 0
expect_closed 4

say "$bytes bytes; peak KiB: upload $up_kib, stream $stream_kib, file $file_kib, slow $slow_kib"
for kib in "$up_kib" "$stream_kib" "$file_kib" "$slow_kib"; do
    [ "$kib" -lt "$limit_kib" ] || fail "$kib KiB is not constant memory"
done
finish "big bodies"
