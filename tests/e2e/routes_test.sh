#!/bin/sh
# scripts/routes.lua as it is.
. "$(dirname -- "$0")/lib.sh"

start run "$root/scripts/routes.lua" -p 0 --trace close
expect_answer 200 "try /users, /users/7, /sum/3/4 or /hello/you" "$url/"
# expect_user ID NAME STATUS URL...
expect_user() {
    id=$1 name=$2 status=$3
    shift 3
    answer=$(ask "$@" | tr -d '\n')
    case $answer in "{\"id\":$id,\"name\":\"$name\"}$status" | \
        "{\"name\":\"$name\",\"id\":$id}$status") ;;
    *) fail "$*: got $answer" ;; esac
}
expect_user 7 Edsger 200 "$url/users/7"
expect_user 1 Ada 200 "$url/users/first"
expect_answer 404 '{"error":"no user 99"}' "$url/users/99"
expect_user 8 Barbara 201 -X PUT -d '{"name":"Barbara"}' "$url/users/8"
expect_user 8 Barbara 200 "$url/users/8"
expect_answer 400 '{"error":"an id is a whole number"}' -X PUT -d x "$url/users/x"
expect_answer 204 "" -X DELETE "$url/users/8"
expect_answer 404 "" -X DELETE "$url/users/8"
expect_answer 200 "7" "$url/sum/3/4"
expect_answer 400 "two numbers, please" "$url/sum/3/x"
expect_answer 200 "PATCH, you" -X PATCH "$url/hello/you"
[ "$(ask -o "$work/body" -d "" "$url/users/7" | tail -n 1)" = 405 ] || fail "no 405"
curl -sS -i -d "" "$url/users/7" | grep -i '^allow:' | grep GET | grep PUT | grep -q DELETE ||
    fail "no Allow"
[ "$(ask -o "$work/body" "$url/nowhere" | tail -n 1)" = 404 ] || fail "no 404"
curl -sS -I "$url/users/7" | grep -q '^HTTP/1.1 200' || fail "no HEAD"
stop TERM
expect_code 0
expect_closed 4
finish "routes"
