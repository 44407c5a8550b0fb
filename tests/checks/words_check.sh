#!/bin/sh
# The text speaks of the product alone: no path of somebody's machine, no address of a package host.
. "$(dirname -- "$0")/lib.sh"

# In two parts, so that this file does not hold the words itself.
pattern='/wo''rk/|/ro''ot/'
pattern=$pattern'|regi''stry\.npmjs|pypi\.o''rg|proxy\.go''lang|crat''es\.io|lua''rocks\.org'
files . -- '*' | grep -vE '^\./(build|\.git)/|/corpus/' | while read -r file; do
    { grep -nIiE "$pattern" "$file" || true; } | cut -c 1-100 | sed "s|^|${file#./}:|"
done >"$findings"
if git rev-parse --git-dir >/dev/null 2>&1 && [ -z "${CHECK_ROOT:-}" ]; then
    git log --format='commit %h:1: %s %b' | { grep -iE "$pattern" || true; } >>"$findings"
fi
finish "say it without naming the place where it was made"
