#!/bin/sh
# The benchmark itself, in small: every server that is installed ends up in the table with figures.
# What they are does not matter here. ctest-timeout: 120
#
# MOONLATCH=PROGRAM smoke_test.sh
. "$(dirname -- "$0")/../e2e/lib.sh"

cat >"$work/doc.md" <<'TEXT'
before
<!-- bench speed -->
old
<!-- /bench -->
after
TEXT

bench() { MOONLATCH=$program sh "$root/tests/bench/bench" "$@" >"$work/out" 2>"$work/err"; }

servers=2
command -v nginx >/dev/null && servers=$((servers + 1))
command -v lighttpd >/dev/null && servers=$((servers + 1))
bench --brief --rounds 1 --seconds 0.6 --only hello,s16k --write "$work/doc.md" ||
    fail "it ended with $?"
for name in nginx lighttpd; do
    command -v $name >/dev/null || expect_err "$name: skipped, as $name is not installed"
done
for workload in hello s16k; do
    awk -F' *[|] *' -v name="$workload" -v servers="$servers" '
        # ratios: name, bound, the others, goal; details: name, each server
        $2 == name && NF == servers + 4 { ratios++ }
        $2 == name && NF == servers + 3 { details++ }
        $2 == name { for (i = 3; i < NF; i++) if ($i !~ /[0-9]/) empty = 1 }
        END { exit !(ratios == 1 && details == 1 && !empty) }' "$work/out" ||
        fail "$workload: not a row of figures for $servers servers"
done
grep -q '^| hello ' "$work/doc.md" || fail "the document has no row"
! grep -q '^old$' "$work/doc.md" || fail "the document has its old table still"
[ "$(head -n 1 "$work/doc.md")$(tail -n 1 "$work/doc.md")" = beforeafter ] ||
    fail "the document has lost what is around the table"

# A server that gives no answer is named, and nothing waits for ever.
printf '#!/bin/sh\nexec sleep 100\n' >"$work/dumb"
chmod +x "$work/dumb"
! MOONLATCH="$work/dumb" BENCH_START_S=1 sh "$root/tests/bench/bench" --brief --rounds 1 \
    --seconds 0.6 --only hello --servers moonlatch >"$work/out" 2>"$work/err" ||
    fail "a dumb server passed"
expect_err "hello, moonlatch: gave no answer in 1 s"
finish "bench"
