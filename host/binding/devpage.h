/* What dev mode adds to answers; nothing of it exists outside of dev (state->dev is NULL then, and
 * one test of that pointer is all it costs).
 *
 *   every answer                 Moonlatch-Stale: app.lua:41: ..., while a broken save is not live
 *   whole text/html answers      a script tag before the last </body>, or at the end; a banner with
 *                                the same text as the field
 *   an error in a handler        an error page (errorpage.h) in the form that the client asks for
 *
 * Never changed: streams, files, encoded or partial bodies, bodies with a checksum field, and what
 * a page fetches by itself (Sec-Fetch-Dest: empty). Content-Length is made to fit; the answer to
 * HEAD says the length that GET would have. Without memory the answer goes out as it was.
 *
 * Thread: the state's. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "binding/errorpage.h"

struct request;
struct state;

enum {
    DEVPAGE_BODY_BYTES_MAX = 16 * 1024 * 1024, /* a longer page is left alone */
    DEVPAGE_VERSION_BYTES_MAX = 48
};

/* The folder of the host's own URL. */
#define DEVPAGE_PATH "/_moonlatch/dev/"

/* What is to be said at this moment. */
struct devpage_notice {
    bool refresh;                            /* pages get the script */
    char stale[ERRORPAGE_SUMMARY_BYTES_MAX]; /* "": what is saved is live */
    char version[DEVPAGE_VERSION_BYTES_MAX]; /* of this state, for the script */
};

/* Where it comes from. */
struct devpage {
    void (*look)(struct state *S, struct devpage_notice *notice);
    /* The text of a file that this state has loaded; p NULL: not known. */
    struct slice (*source)(struct state *S, struct slice file);
};

/* Before an answer goes out, with its fields and r->chunk filled in. whole: the body is r->chunk;
 * else a stream begins. */
void devpage_decorate(struct request *r, bool whole);

/* LIVE: answers with an error page about what a handler raised. Has ended the request. */
void devpage_fail(struct request *r, unsigned status, const char *id, const char *message,
                  const char *traceback);

/* DELIVERED: the same before any state has it. */
void devpage_refuse(struct request *r, unsigned status, const struct errorpage *page);
