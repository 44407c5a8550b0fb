/* Rows of protocol/h1cases.h on which node 20 differs from us, with the reason. In all but those of
 * methods, closing, upgrades and expectations we are the stricter side. */
/* node tolerates any number of empty lines and bare CR or LF first */
{"two-leading-empty-lines", "node tolerates any number of empty lines and bare CR or LF first"},
    {"leading-bare-lf", "node tolerates any number of empty lines and bare CR or LF first"},
    {"leading-bare-cr", "node tolerates any number of empty lines and bare CR or LF first"},
    /* node tolerates several spaces in the request line */
    {"two-spaces-before-target", "node tolerates several spaces in the request line"},
    {"two-spaces-before-version", "node tolerates several spaces in the request line"},
    /* node knows a fixed list of methods */
    {"unknown-method-is-delivered", "node knows a fixed list of methods"},
    {"method-of-all-token-bytes", "node knows a fixed list of methods"},
    {"unknown-method-with-body", "node knows a fixed list of methods"},
    /* node does not look into a target in absolute form */
    {"target-ftp", "node does not look into a target in absolute form"},
    {"target-file", "node does not look into a target in absolute form"},
    {"target-user-info", "node does not look into a target in absolute form"},
    {"target-empty-authority", "node does not look into a target in absolute form"},
    {"target-authority-port-only", "node does not look into a target in absolute form"},
    {"target-authority-port-letters", "node does not look into a target in absolute form"},
    {"target-authority-port-range", "node does not look into a target in absolute form"},
    {"target-authority-escape", "node does not look into a target in absolute form"},
    /* node accepts * for every method */
    {"target-asterisk-for-get", "node accepts * for every method"},
    {"target-asterisk-for-post", "node accepts * for every method"},
    /* node closes a CONNECT nobody listens for without an answer */
    {"connect-path", "node closes a CONNECT nobody listens for without an answer"},
    {"connect-without-port", "node closes a CONNECT nobody listens for without an answer"},
    {"connect-absolute", "node closes a CONNECT nobody listens for without an answer"},
    {"connect-asterisk", "node closes a CONNECT nobody listens for without an answer"},
    /* node accepts a fragment in the target */
    {"target-fragment", "node accepts a fragment in the target"},
    {"target-fragment-in-query", "node accepts a fragment in the target"},
    /* node leaves the path to the application */
    {"url-escape-cut", "node leaves the path to the application"},
    {"url-escape-one-digit", "node leaves the path to the application"},
    {"url-escape-letters", "node leaves the path to the application"},
    {"url-escape-u-cut", "node leaves the path to the application"},
    {"url-nul", "node leaves the path to the application"},
    {"url-control", "node leaves the path to the application"},
    {"url-del", "node leaves the path to the application"},
    {"url-overlong", "node leaves the path to the application"},
    {"url-surrogate", "node leaves the path to the application"},
    {"url-lone-continuation", "node leaves the path to the application"},
    {"url-cut-sequence", "node leaves the path to the application"},
    {"url-above-root", "node leaves the path to the application"},
    {"url-above-root-later", "node leaves the path to the application"},
    {"url-above-root-escaped", "node leaves the path to the application"},
    {"url-above-root-backslash", "node leaves the path to the application"},
    /* node accepts HTTP/0.9 */
    {"http-0.9", "node accepts HTTP/0.9"},
    /* node's parser accepts versions 0.9 and 2.0 */
    {"version-0.9", "node's parser accepts versions 0.9 and 2.0"},
    {"version-2.0", "node's parser accepts versions 0.9 and 2.0"},
    /* node keeps the first of several Hosts */
    {"host-twice", "node keeps the first of several Hosts"},
    {"host-twice-different", "node keeps the first of several Hosts"},
    {"host-twice-in-1.0", "node keeps the first of several Hosts"},
    /* node does not look into Host */
    {"host-empty", "node does not look into Host"}, {"host-blank", "node does not look into Host"},
    {"host-space-inside", "node does not look into Host"},
    {"host-comma", "node does not look into Host"}, {"host-slash", "node does not look into Host"},
    {"host-at", "node does not look into Host"}, {"host-escape", "node does not look into Host"},
    {"host-scheme", "node does not look into Host"},
    {"host-port-only", "node does not look into Host"},
    {"host-port-letters", "node does not look into Host"},
    {"host-port-too-large", "node does not look into Host"},
    {"host-port-negative", "node does not look into Host"},
    {"host-two-ports", "node does not look into Host"},
    {"host-ipv6-bare", "node does not look into Host"},
    {"host-ipv6-open", "node does not look into Host"},
    {"host-ipv6-zone", "node does not look into Host"},
    {"host-ipv6-two-gaps", "node does not look into Host"},
    {"host-ipv6-nine-groups", "node does not look into Host"},
    {"host-utf8", "node does not look into Host"},
    {"host-malformed-absolute-target", "node does not look into Host"},
    {"host-malformed-in-1.0", "node does not look into Host"},
    /* node takes a missing length as an empty body */
    {"length-required-post", "node takes a missing length as an empty body"},
    {"length-required-put", "node takes a missing length as an empty body"},
    /* node drops answers it has not sent yet when later bytes are malformed */
    {"refusal-after-accepted",
     "node drops answers it has not sent yet when later bytes are malformed"},
    {"body-longer-than-length",
     "node drops answers it has not sent yet when later bytes are malformed"},
    /* node accepts other codings before chunked */
    {"coding-gzip-chunked", "node accepts other codings before chunked"},
    {"coding-gzip-chunked-two-lines", "node accepts other codings before chunked"},
    /* node tolerates empty elements in Transfer-Encoding */
    {"coding-empty", "node tolerates empty elements in Transfer-Encoding"},
    {"coding-empty-element", "node tolerates empty elements in Transfer-Encoding"},
    /* node accepts Transfer-Encoding in HTTP/1.0 */
    {"coding-in-1.0", "node accepts Transfer-Encoding in HTTP/1.0"},
    /* node does not count leading zeros of a chunk size */
    {"chunk-size-17-digits", "node does not count leading zeros of a chunk size"},
    /* node accepts any field as a trailer */
    {"trailer-host", "node accepts any field as a trailer"},
    {"trailer-authorization", "node accepts any field as a trailer"},
    {"trailer-cookie", "node accepts any field as a trailer"},
    {"trailer-set-cookie", "node accepts any field as a trailer"},
    {"trailer-connection", "node accepts any field as a trailer"},
    /* node refuses bytes after a request that asked to close */
    {"close", "node refuses bytes after a request that asked to close"},
    {"close-case", "node refuses bytes after a request that asked to close"},
    {"close-in-list", "node refuses bytes after a request that asked to close"},
    {"close-in-second-line", "node refuses bytes after a request that asked to close"},
    {"close-beats-keep-alive", "node refuses bytes after a request that asked to close"},
    {"keep-alive-1.0-not-asked", "node refuses bytes after a request that asked to close"},
    {"body-then-close", "node refuses bytes after a request that asked to close"},
    /* node reads no HTTP behind a request for an upgrade */
    {"upgrade-ignored", "node reads no HTTP behind a request for an upgrade"},
    /* node answers 417 to an expectation it does not know */
    {"expect-unknown-is-delivered", "node answers 417 to an expectation it does not know"},
