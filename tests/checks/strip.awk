# Blanks comments, string literals and character constants of C; keeps lines and columns.
{
    out = ""
    n = length($0)
    for (i = 1; i <= n; i++) {
        c = substr($0, i, 1)
        d = substr($0, i, 2)
        if (in_comment) {
            if (d == "*/") { in_comment = 0; out = out "  "; i++ } else out = out " "
        } else if (quote != "") {
            if (c == "\\") { out = out "  "; i++ }
            else { out = out (c == quote ? c : " "); if (c == quote) quote = "" }
        } else if (d == "/*") { in_comment = 1; out = out "  "; i++ }
        else if (d == "//") break
        else {
            if (c == "\"" || c == "'") quote = c
            out = out c
        }
    }
    if (substr($0, n, 1) != "\\") quote = ""
    print out
}
