#!/bin/sh
# scripts/notes.lua over a real database file, which outlives the server.
. "$(dirname -- "$0")/lib.sh"

"$program" -e 'require "cjson.safe" require "luasql.sqlite3"' >/dev/null 2>&1 ||
    { say "lua-cjson or lua-sql-sqlite3 is not here"; exit 77; }
json="Content-Type: application/json"
db=$work/notes.db
start run "$root/scripts/notes.lua" -p 0 --set db="$db" --trace close
expect_answer 200 "[]" "$url/notes"
ask -H "$json" -d '{"text":"buy milk"}' "$url/notes" >"$work/got"
grep -q '"text":"buy milk"' "$work/got" || fail "$(cat "$work/got")"
grep -q '^201$' "$work/got" || fail "$(cat "$work/got")"
quoted='it'"'"'s; DROP TABLE notes; -- 100%'
ask -H "$json" -d "{\"text\":\"$quoted\"}" "$url/notes" >"$work/got"
grep -q '^201$' "$work/got" || fail "$(cat "$work/got")"
ask "$url/notes?q=DROP" >"$work/got"
grep -qF "$quoted" "$work/got" || fail "$(cat "$work/got")"
ask -X PUT -d '{"done":true}' "$url/notes/1" | grep -q '"done":true' || fail "not done"
expect_answer 422 '{"error":"text is missing"}' -d '{}' "$url/notes"
expect_answer 400 '{"error":"the body is not a JSON object"}' -d 'x' "$url/notes"
expect_answer 404 '{"error":"no such note"}' "$url/notes/99"
expect_answer 404 '{"error":"no such note"}' "$url/notes/x"
expect_answer 204 "" -X DELETE "$url/notes/2"
expect_answer 404 '{"error":"no such note"}' -X DELETE "$url/notes/2"
head -c 70000 /dev/zero | tr '\0' 'x' >"$work/long"
[ "$(ask -o "$work/got" --data-binary @"$work/long" "$url/notes" | tail -n 1)" = 413 ] ||
    fail "no 413"
stop TERM
expect_code 0
expect_closed 4
[ -s "$db" ] || fail "no database"
[ ! -e "$db-wal" ] || fail "the database was not closed"
start run "$root/scripts/notes.lua" -p 0 --set db="$db" --workers 2
ask "$url/notes" | grep -q '"text":"buy milk"' || fail "the note is gone"
stop INT
expect_code 0
finish "notes"
