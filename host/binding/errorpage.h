/* What dev mode answers when a script has failed: one report in three forms.
 *
 *   ERRORPAGE_TEXT   as on the terminal: place, excerpt with a caret, traceback
 *   ERRORPAGE_HTML   the same as a page that loads nothing but the refresh script (devpage.h)
 *   ERRORPAGE_JSON   {"error":, "file":, "line":, "column":, "traceback":, "hint":, "generation":}
 *
 * Everything that comes from a script or a peer is escaped, and the excerpt shows only texts that
 * `source` gives: a message that names any other file shows none of it.
 *
 * Owner: nothing is kept. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum {
    ERRORPAGE_BYTES_MAX = 256 * 1024,  /* of one page */
    ERRORPAGE_AROUND = 6,              /* lines before and after the one that failed */
    ERRORPAGE_LINE_BYTES_MAX = 512,    /* a longer source line is cut */
    ERRORPAGE_SUMMARY_BYTES_MAX = 256, /* of errorpage_summarize */
};

#define ERRORPAGE_REFRESH_PATH "/_moonlatch/dev/refresh.js"

enum errorpage_form { ERRORPAGE_TEXT, ERRORPAGE_HTML, ERRORPAGE_JSON };

struct errorpage {
    const char *title;     /* "app.lua does not load", "GET /x: 500" */
    const char *message;   /* as Lua gave it, perhaps with a traceback behind it */
    const char *traceback; /* or here; NULL: none */
    const char *hint;      /* the cure; NULL or "": none */
    const char *id;        /* of the error in the log; NULL: none */
    uint32_t generation;   /* that failed */
    const char *version;   /* for the refresh script; NULL: the page has none */
    /* The text of a file that the generation has loaded, as Lua names it; p NULL: not known. */
    struct slice (*source)(void *ctx, struct slice file);
    void *ctx;
};

/* What an Accept field asks for: the wanted one of HTML and JSON, plain text for all the rest. */
enum errorpage_form errorpage_choose(struct slice accept);

/* "text/html; charset=utf-8" and so on. */
struct slice errorpage_type(enum errorpage_form form);

/* Appends the page; false: no memory, or more than the buf may hold. */
bool errorpage_render(struct buf *out, enum errorpage_form form, const struct errorpage *page);

/* "app.lua:41: unexpected symbol near '='" in one line of printable ASCII, for a header field and
 * a banner: the line of the message that names a place, else its first line. Cut to fit. */
void errorpage_summarize(const char *message, char *out, size_t cap);

/* Appends text as HTML: markup is escaped, bytes that are no UTF-8 and control characters become
 * U+FFFD. */
bool errorpage_escape(struct buf *out, struct slice text);
