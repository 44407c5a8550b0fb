#!/bin/sh
# scripts/hello.lua as it is.
. "$(dirname -- "$0")/lib.sh"

start run "$root/scripts/hello.lua" -p 0 --trace close
expect_answer 200 "hello, world" "$url/"
expect_answer 200 "hello, Ada" "$url/?name=Ada"
expect_answer 200 "hello, a b" "$url/?name=a%20b"
expect_answer 200 "hello, world" "http://localhost:$port/any/where"
stop TERM
expect_code 0
expect_closed 4
finish "hello"
