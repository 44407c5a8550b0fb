/* Reading a request's body.
 *
 *   request:read([n])                    up to n bytes (default 64 KiB) | nil at the end |
 *                                        nil, error
 *   request:chunks([n])                  iterator over such strings; raises on errors
 *   request:body([{ limit = "8M" }])     the whole | nil, error "too_large" (status 413)
 *   request:save(path, [{ limit = }])    count of bytes | nil, error; the file is removed on
 *                                        failure
 *
 * A read suspends the task. Buffers of BODY_BUFFER_BYTES belong to the worker's pool and are held
 * only while a read is under way, so a body of any length needs constant memory. :save writes with
 * plain write() in such pieces.
 *
 * Thread: the state's. Limits are bytes, or strings with K, M, G (powers of 1024). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

enum {
    BODY_BUFFER_BYTES = 128 << 10,     /* one read */
    BODY_READ_DEFAULT = 64 << 10,      /* request:read() without a count */
    BODY_LIMIT_DEFAULT = 8 << 20,      /* request:body() without a limit */
    BODY_SAVE_LIMIT_DEFAULT = 1 << 30, /* request:save() without a limit */
    BODY_BUFFERS_IDLE_MAX = 16         /* kept by a worker */
};

/* Methods of http.request. */
int httpreq_read(lua_State *L);
int httpreq_chunks(lua_State *L);
int httpreq_whole(lua_State *L);
int httpreq_save(lua_State *L);

/* A byte count: an integer, or "10", "64K", "8M", "2G". False: neither. */
bool httpreq_parse_limit(lua_State *L, int index, uint64_t *bytes);

struct request;
struct request_pool;

/* For request.c: gives the read buffer back; frees the pool's idle ones. */
void body_drop_buffer(struct request *r);
void body_pool_deinit(struct request_pool *pool);
