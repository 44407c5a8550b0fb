/* One note for each request that a handler has answered, for whoever wants them
 * (host_config.on_request).
 *
 * What is told is copied when the request arrives, as its strings end with the answer. Thread: the
 * worker's. Cost when nobody wants them: one test of a pointer at the beginning and one at the
 * end. */
#pragma once

struct host_config;
struct request;

enum {
    REQLOG_PATH_BYTES_MAX = 1024, /* of a path; the rest is cut */
    REQLOG_METHOD_BYTES_MAX = 32
};

/* DELIVERED. Without memory there is no note. */
void reqlog_begin(struct request *r, const struct host_config *config);

/* Its handler has ended, or it was refused; r->log is not NULL. status 0: never answered. */
void reqlog_end(struct request *r, unsigned status);
