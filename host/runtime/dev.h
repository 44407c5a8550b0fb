/* People at work on a script: what serves, what is broken, and who is told.
 *
 *   moonlatch dev   struct dev exists. Handlers' errors are error pages, answers say when a broken
 *                   save is not live (binding/devpage.h), and pages refresh themselves: each
 *                   generation has the host's own URL /_moonlatch/dev/ beside those of its script,
 *                   with the refresh script and an event stream (lua/moonlatch/dev.lua) that says
 *                   what serves whenever that changes.
 *   run --watch     host->dev is NULL and nothing of this is there.
 *
 * The news go to every worker as an errand after each reload, good or bad, before it is reported:
 * the workers close or open the gate of dispatch.h (--on-bad-reload fail, and dev before the first
 * good load) and wake the event streams. A stream belongs to a generation; when that retires or the
 * host stops it ends by itself at once, and the browser asks again.
 *
 * While no generation has ever served, a stand-in does: a generation like any other, made from a
 * text of one URL, behind a closed gate. So its addresses are held, the workers run, and the first
 * good load is a reload.
 *
 * Owner: struct host. Thread: coordinator, but for what says otherwise; what workers read is behind
 * a mutex, which they take only in dev. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "binding/devpage.h"

struct dev;
struct generation;
struct host;
struct list;
struct load_error;
struct member;
struct sources;

enum {
    DEV_STREAMS_MAX = 32,    /* event streams of one worker; more get 503 */
    DEV_AUTHORITIES_MAX = 16 /* host:port pairs of full URLs with a URL of the host's; no refresh on
                                more */
};

/* NULL: no memory. */
struct dev *dev_create(void);
void dev_destroy(struct dev *dev);

/* For the states of a generation. */
extern const struct devpage dev_page;

/* Beside the script's URLs, once its main chunks are loaded: declares the host's own. A script that
 * has that URL itself keeps it: there is no refresh then, which is said once. false: no memory. */
bool dev_declare(struct member *member);
/* A generation has drained, on its worker: says once in the life of the host that a script counts
 * on locals which begin anew (locals.h). Nothing outside of dev. */
void dev_note_locals(struct member *member);
/* Gives back what the member has of it; its state is closed. */
void dev_forget(struct member *member);

/* A load has failed: what is shown about it. sources: of the failed generation, kept. */
void dev_note_broken(struct host *host, const struct load_error *error, struct sources *sources,
                     uint32_t generation);
/* The files are what serves again. */
void dev_note_good(struct host *host);

/* Tells every worker. outage: the gate is closed. host->current serves or stands in. */
void dev_tell_workers(struct host *host, bool outage);

/* On a worker: the event streams of these members look at what there is, and end where their state
 * does not serve any more. */
void dev_wake(struct list *members);

/* On its worker: how many there are. */
size_t dev_count_streams(const struct member *member);

/* Sources of the stand-in; NULL: no memory. */
struct sources *dev_stand_in(void);

/* Whether a first load that failed is waited out: in dev, and something on the disk could mend it.
 */
bool dev_waits(const struct host *host, const struct load_error *error);
