#include "binding/body.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "binding/error.h"
#include "binding/file.h"
#include "binding/request_type.h"
#include "binding/state.h"
#include "binding/task.h"

/* --- buffers
 * --------------------------------------------------------------------------------- */

static void *take_buffer(struct request_pool *pool)
{
    void *buffer = pool->buffers;
    if (buffer == NULL) {
        return malloc(BODY_BUFFER_BYTES);
    }
    memcpy(&pool->buffers, buffer, sizeof pool->buffers); /* the link is in the idle buffer */
    pool->buffer_count--;
    return buffer;
}

void body_drop_buffer(struct request *r)
{
    struct request_pool *pool = r->pool;
    void *buffer = r->read_buffer;
    assert(buffer != NULL && !r->read.busy);
    r->read_buffer = NULL;
    if (pool->buffer_count >= BODY_BUFFERS_IDLE_MAX) {
        free(buffer);
        return;
    }
    memcpy(buffer, &pool->buffers, sizeof pool->buffers);
    pool->buffers = buffer;
    pool->buffer_count++;
}

void body_pool_deinit(struct request_pool *pool)
{
    while (pool->buffers != NULL) {
        void *buffer = pool->buffers;
        memcpy(&pool->buffers, buffer, sizeof pool->buffers);
        free(buffer);
    }
    pool->buffer_count = 0;
}

/* --- limits and errors
 * ----------------------------------------------------------------------- */

bool httpreq_parse_limit(lua_State *L, int index, uint64_t *bytes)
{
    if (lua_isinteger(L, index)) {
        lua_Integer value = lua_tointeger(L, index);
        *bytes = value > 0 ? (uint64_t)value : 0;
        return value >= 0;
    }
    if (lua_type(L, index) != LUA_TSTRING) {
        return false;
    }
    struct slice text;
    text.p = lua_tolstring(L, index, &text.len);
    unsigned shift = 0;
    if (text.len > 0) {
        switch (text.p[text.len - 1]) {
        case 'K':
        case 'k': shift = 10; break;
        case 'M':
        case 'm': shift = 20; break;
        case 'G':
        case 'g': shift = 30; break;
        default: break;
        }
    }
    text.len -= shift != 0 ? 1 : 0;
    uint64_t value = 0;
    if (!slice_to_u64(text, &value) || value > UINT64_MAX >> shift) {
        return false;
    }
    *bytes = value << shift;
    return true;
}

/* options.limit of the table at index, else `otherwise`. Raises for options that are not there. */
static uint64_t check_limit(lua_State *L, int index, uint64_t otherwise)
{
    uint64_t limit = otherwise;
    if (lua_isnoneornil(L, index)) {
        return limit;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    if (lua_getfield(L, index, "limit") != LUA_TNIL && !httpreq_parse_limit(L, -1, &limit)) {
        luaL_error(L, "limit is a count of bytes, or a string like \"64K\", \"8M\", \"2G\"");
    }
    lua_pop(L, 1);
    error_check_options(L, index, (const char *const[]){"limit", NULL});
    return limit;
}

static int fail_status(lua_State *L, int status)
{
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "status");
    return 2;
}

static int fail_limit(lua_State *L, uint64_t limit)
{
    char hint[96];
    (void)snprintf(hint, sizeof hint, "the body is longer than %llu bytes (limit)",
                   (unsigned long long)limit);
    error_return_word(L, "too_large", hint);
    return fail_status(L, 413);
}

static int fail_read(lua_State *L, ULONG code)
{
    return error_return(L, "HttpReceiveRequestEntityBody", code, NULL,
                        "the body could not be read to its end");
}

static int fail_closed(lua_State *L)
{
    return error_return_word(L, "closed", "the request ended while its body was being read");
}

/* --- pieces
 * ---------------------------------------------------------------------------------- */

/* Bytes that came with the request itself; false when there are none left. At most `max`. */
static bool next_received(struct request *r, size_t max, struct slice *out)
{
    const HTTP_REQUEST *http = r->http;
    while (r->body_chunk < http->EntityChunkCount) {
        const HTTP_DATA_CHUNK *chunk = &http->pEntityChunks[r->body_chunk];
        size_t len = chunk->DataChunkType == HttpDataChunkFromMemory
                         ? chunk->FromMemory.BufferLength - r->body_chunk_at
                         : 0;
        if (len > 0) {
            const char *p = chunk->FromMemory.pBuffer;
            *out = slice_make(p + r->body_chunk_at, len < max ? len : max);
            r->body_chunk_at += out->len;
            return true;
        }
        r->body_chunk++;
        r->body_chunk_at = 0;
    }
    if ((http->Flags & HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS) == 0) {
        r->body_ended = true;
    }
    return false;
}

/* How a step of reading went. */
enum step {
    STEP_PIECE, /* *out has bytes */
    STEP_END,   /* no more */
    STEP_WAIT,  /* a read is under way: op_wait on r->read, then finish_read */
    STEP_FAIL   /* *code says why */
};

/* What a read that is over has brought; the bytes are in r->read_buffer until drop_piece. */
static enum step finish_read(struct request *r, const struct task *t, struct slice *out,
                             ULONG *code)
{
    assert(!r->read.busy && r->read_buffer != NULL);
    if (t->op_status == NO_ERROR && t->op_bytes > 0) {
        *out = slice_make(r->read_buffer, t->op_bytes);
        return STEP_PIECE;
    }
    body_drop_buffer(r);
    if (t->op_status == ERROR_HANDLE_EOF || t->op_status == NO_ERROR) {
        r->body_ended = true;
        return STEP_END;
    }
    if (!t->run.timed_out) {
        r->body_failed = true;
    }
    *code = t->op_status;
    return STEP_FAIL;
}

static bool read_done(struct op *op)
{
    httpreq_settle(LIST_ITEM(op, struct request, read));
    return false;
}

/* Posts a read into a buffer of the pool. A read always completes through the loop, so the buffer
 * is never in use behind our back. */
static enum step start_read(struct request *r, size_t max, ULONG *code)
{
    r->read_buffer = take_buffer(r->pool);
    if (r->read_buffer == NULL) {
        *code = ERROR_NOT_ENOUGH_MEMORY;
        return STEP_FAIL;
    }
    size_t bytes = max < BODY_BUFFER_BYTES ? max : BODY_BUFFER_BYTES;
    r->read.on_done = read_done;
    ULONG result = HttpReceiveRequestEntityBody(r->queue, r->http->RequestId, 0, r->read_buffer,
                                                (ULONG)bytes, NULL, op_begin(&r->read, r->queue));
    (void)op_started(&r->read, result); /* busy says it */
    if (r->read.busy) {
        return STEP_WAIT;
    }
    body_drop_buffer(r);
    if (result == ERROR_HANDLE_EOF) {
        r->body_ended = true;
        return STEP_END;
    }
    r->body_failed = true;
    *code = result;
    return STEP_FAIL;
}

/* Gets the next piece, at most max bytes, without copying: after STEP_PIECE call drop_piece. */
static enum step step(lua_State *L, struct request *r, size_t max, struct slice *out, ULONG *code)
{
    if (r->read.busy) {
        luaL_error(L, "another coroutine is reading this body");
    }
    if (r->read_buffer != NULL) { /* of a read whose task was cancelled: its bytes are lost */
        r->body_failed = r->body_failed || r->read.status == NO_ERROR;
        body_drop_buffer(r);
    }
    if (r->body_failed) {
        *code = ERROR_CONNECTION_INVALID;
        return STEP_FAIL;
    }
    if (!r->body_ended && next_received(r, max, out)) {
        return STEP_PIECE;
    }
    if (r->body_ended) {
        return STEP_END;
    }
    task_check_wait(L);
    return start_read(r, max, code);
}

static void drop_piece(struct request *r)
{
    if (r->read_buffer != NULL) {
        body_drop_buffer(r);
    }
}

/* After a wait: the request, and what the read brought. NULL: the request has ended meanwhile. */
static struct request *resume_read(lua_State *L, lua_KContext ctx, enum step *went,
                                   struct slice *piece, ULONG *code)
{
    struct request *r = httpreq_find(state_of(L), (uint64_t)ctx);
    if (r != NULL) {
        *went = finish_read(r, task_current(L), piece, code);
    }
    return r;
}

static int fail(lua_State *L, ULONG code)
{
    const struct task *t = task_current(L);
    if (t != NULL && t->run.timed_out && code == ERROR_OPERATION_ABORTED) {
        return error_return_word(L, "timeout", "no byte of the body came in time");
    }
    return fail_read(L, code);
}

/* A timeout in seconds at index, none: for ever. */
static uint64_t check_timeout(lua_State *L, int index)
{
    lua_Number seconds = luaL_optnumber(L, index, -1);
    return seconds < 0 || seconds > 1e9 ? UINT64_MAX : (uint64_t)(seconds * 1e9);
}

static size_t check_count(lua_State *L, int index)
{
    lua_Integer n = luaL_optinteger(L, index, BODY_READ_DEFAULT);
    luaL_argcheck(L, n > 0, index, "a positive count of bytes");
    return (size_t)n;
}

/* --- read and chunks
 * ------------------------------------------------------------------------- */

static int read_result(lua_State *L, struct request *r, enum step went, struct slice piece,
                       ULONG code)
{
    switch (went) {
    case STEP_PIECE:
        lua_pushlstring(L, piece.p, piece.len);
        drop_piece(r);
        return 1;
    case STEP_END: lua_pushnil(L); return 1;
    default: return fail(L, code);
    }
}

static int read_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* always LUA_YIELD */
    enum step went = STEP_END;
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    struct request *r = resume_read(L, ctx, &went, &piece, &code);
    return r == NULL ? fail_closed(L) : read_result(L, r, went, piece, code);
}

int httpreq_read(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    uint64_t timeout_ns = check_timeout(L, 3);
    enum step went = step(L, r, check_count(L, 2), &piece, &code);
    if (went == STEP_WAIT) {
        return op_wait(L, &r->read, timeout_ns, (lua_KContext)r->id, read_k);
    }
    return read_result(L, r, went, piece, code);
}

static int chunk_k(lua_State *L, int status, lua_KContext ctx)
{
    if (read_k(L, status, ctx) == 2) {
        return lua_error(L); /* an iterator has no other way to say it */
    }
    return 1;
}

/* The iterator: upvalue 1 is the count of bytes. (request) -> string | nil [-0, +1, e] */
static int next_chunk(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    size_t max = (size_t)lua_tointeger(L, lua_upvalueindex(1));
    enum step went = step(L, r, max, &piece, &code);
    if (went == STEP_WAIT) {
        return op_wait(L, &r->read, UINT64_MAX, (lua_KContext)r->id, chunk_k);
    }
    return read_result(L, r, went, piece, code) == 2 ? lua_error(L) : 1;
}

int httpreq_chunks(lua_State *L)
{
    request_type_check(L, 1);
    lua_pushinteger(L, (lua_Integer)check_count(L, 2));
    lua_pushcclosure(L, next_chunk, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/* --- the whole body
 * -------------------------------------------------------------------------- */

/* Stack of the two calls below, kept across waits. */
enum { AT_REQUEST = 1, AT_ARGUMENT, AT_OPTIONS, AT_LIMIT, AT_TOTAL, AT_TARGET, AT_TOP = AT_TARGET };

static uint64_t timeout_of(lua_State *L)
{
    uint64_t timeout_ns = UINT64_MAX;
    if (lua_istable(L, AT_OPTIONS)) {
        lua_getfield(L, AT_OPTIONS, "timeout");
        timeout_ns = check_timeout(L, -1);
        lua_pop(L, 1);
    }
    return timeout_ns;
}

/* Counts a piece against the limit. */
static bool count_piece(lua_State *L, size_t bytes)
{
    uint64_t total = (uint64_t)lua_tointeger(L, AT_TOTAL) + bytes;
    lua_pushinteger(L, (lua_Integer)total);
    lua_replace(L, AT_TOTAL);
    return total <= (uint64_t)lua_tointeger(L, AT_LIMIT);
}

/* What the client announced; 0 when it did not. */
static uint64_t announced(const struct request *r)
{
    const HTTP_KNOWN_HEADER *h = &r->http->Headers.KnownHeaders[HttpHeaderContentLength];
    uint64_t bytes = 0;
    return h->pRawValue != NULL && slice_to_u64(slice_make(h->pRawValue, h->RawValueLength), &bytes)
               ? bytes
               : 0;
}

/* request | path or nil | options -> the layout above, without the target. */
static bool begin(lua_State *L, const struct request *r, uint64_t otherwise)
{
    uint64_t limit = check_limit(L, AT_OPTIONS, otherwise);
    limit = limit > INT64_MAX ? INT64_MAX : limit;
    lua_settop(L, AT_OPTIONS);
    lua_pushinteger(L, (lua_Integer)limit);
    lua_pushinteger(L, 0);
    return announced(r) <= limit;
}

/* Takes all of a body that came in one piece with its request, as most do. false: it did not, or
 * some of it was read before. */
static bool take_all(struct request *r, struct slice *out)
{
    const HTTP_REQUEST *http = r->http;
    if (http->EntityChunkCount != 1 || r->body_chunk != 0 || r->body_chunk_at != 0 ||
        (http->Flags & HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS) != 0 ||
        !next_received(r, SIZE_MAX, out)) {
        return false;
    }
    r->body_ended = true;
    return true;
}

/* Joins the pieces in the target table. */
static int push_whole(lua_State *L)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, AT_TARGET);
    if (count <= 1) {
        if (count == 0) {
            lua_pushliteral(L, "");
        } else {
            lua_rawgeti(L, AT_TARGET, 1);
        }
        return 1;
    }
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, (size_t)lua_tointeger(L, AT_TOTAL));
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, AT_TARGET, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return 1;
}

static int whole_k(lua_State *L, int status, lua_KContext ctx);

static int whole_run(lua_State *L, struct request *r, enum step went, struct slice piece,
                     ULONG code)
{
    for (;;) {
        switch (went) {
        case STEP_PIECE:
            if (!count_piece(L, piece.len)) {
                drop_piece(r);
                return fail_limit(L, (uint64_t)lua_tointeger(L, AT_LIMIT));
            }
            lua_pushlstring(L, piece.p, piece.len);
            lua_rawseti(L, AT_TARGET, (lua_Integer)lua_rawlen(L, AT_TARGET) + 1);
            drop_piece(r);
            break;
        case STEP_END: return push_whole(L);
        case STEP_WAIT: return op_wait(L, &r->read, timeout_of(L), (lua_KContext)r->id, whole_k);
        case STEP_FAIL: return fail(L, code);
        }
        went = step(L, r, BODY_BUFFER_BYTES, &piece, &code);
    }
}

static int whole_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* always LUA_YIELD */
    enum step went = STEP_END;
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    struct request *r = resume_read(L, ctx, &went, &piece, &code);
    return r == NULL ? fail_closed(L) : whole_run(L, r, went, piece, code);
}

int httpreq_whole(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    lua_settop(L, 2);
    lua_pushnil(L);
    lua_insert(L, AT_ARGUMENT); /* no path: the options move up */
    if (!begin(L, r, BODY_LIMIT_DEFAULT)) {
        return fail_limit(L, (uint64_t)lua_tointeger(L, AT_LIMIT));
    }
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    if (take_all(r, &piece)) {
        return count_piece(L, piece.len) ? read_result(L, r, STEP_PIECE, piece, code)
                                         : fail_limit(L, (uint64_t)lua_tointeger(L, AT_LIMIT));
    }
    lua_createtable(L, 0, 0);
    enum step went = step(L, r, BODY_BUFFER_BYTES, &piece, &code);
    return whole_run(L, r, went, piece, code);
}

/* --- to a file
 * ------------------------------------------------------------------------------- */

#define SAVER_TYPE "http.saver"

/* The file under way; to-be-closed, so that it goes with whatever ends the call. */
struct saver {
    HANDLE handle;
    bool open;
    bool keep; /* complete: stays */
};

static int close_saver(lua_State *L)
{
    struct saver *saver = luaL_checkudata(L, 1, SAVER_TYPE);
    if (saver->open) {
        saver->open = false;
        (void)file_close(saver->handle); /* it is given up */
        if (!saver->keep) {
            lua_getiuservalue(L, 1, 1);
            file_discard(lua_tostring(L, -1));
        }
    }
    return 0;
}

static struct saver *push_saver(lua_State *L)
{
    struct saver *saver = lua_newuserdatauv(L, sizeof *saver, 1);
    memset(saver, 0, sizeof *saver);
    lua_pushvalue(L, AT_ARGUMENT);
    lua_setiuservalue(L, -2, 1);
    if (luaL_newmetatable(L, SAVER_TYPE) != 0) {
        lua_pushcfunction(L, close_saver);
        lua_setfield(L, -2, "__close");
        lua_pushcfunction(L, close_saver);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return saver;
}

static int fail_file(lua_State *L, ULONG code, const char *hint)
{
    return error_return(L, NULL, code, lua_tostring(L, AT_ARGUMENT), hint);
}

static int save_end(lua_State *L, struct saver *saver)
{
    ULONG code = file_close(saver->handle);
    saver->open = false;
    if (code != NO_ERROR) {
        file_discard(lua_tostring(L, AT_ARGUMENT));
        return fail_file(L, code, "the file could not be written to its end");
    }
    lua_pushvalue(L, AT_TOTAL);
    return 1;
}

static int save_k(lua_State *L, int status, lua_KContext ctx);

static int save_run(lua_State *L, struct request *r, enum step went, struct slice piece, ULONG code)
{
    struct saver *saver = lua_touserdata(L, AT_TARGET);
    for (;;) {
        switch (went) {
        case STEP_PIECE:
            if (!count_piece(L, piece.len)) {
                drop_piece(r);
                return fail_limit(L, (uint64_t)lua_tointeger(L, AT_LIMIT));
            }
            code = file_write(saver->handle, piece.p, piece.len);
            drop_piece(r);
            if (code != NO_ERROR) {
                return fail_file(L, code, "the file could not be written to its end");
            }
            break;
        case STEP_END: return save_end(L, saver);
        case STEP_WAIT: return op_wait(L, &r->read, timeout_of(L), (lua_KContext)r->id, save_k);
        case STEP_FAIL: return fail(L, code);
        }
        went = step(L, r, BODY_BUFFER_BYTES, &piece, &code);
    }
}

static int save_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* always LUA_YIELD */
    enum step went = STEP_END;
    struct slice piece = {NULL, 0};
    ULONG code = NO_ERROR;
    struct request *r = resume_read(L, ctx, &went, &piece, &code);
    return r == NULL ? fail_closed(L) : save_run(L, r, went, piece, code);
}

int httpreq_save(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    luaL_checkstring(L, AT_ARGUMENT);
    lua_settop(L, AT_OPTIONS);
    if (!begin(L, r, BODY_SAVE_LIMIT_DEFAULT)) {
        return fail_limit(L, (uint64_t)lua_tointeger(L, AT_LIMIT));
    }
    struct saver *saver = push_saver(L);
    ULONG code = file_create(lua_tostring(L, AT_ARGUMENT), &saver->handle);
    if (code != NO_ERROR) {
        return fail_file(L, code, "the file could not be made");
    }
    saver->open = true;
    lua_toclose(L, AT_TARGET);
    struct slice piece = {NULL, 0};
    enum step went = step(L, r, BODY_BUFFER_BYTES, &piece, &code);
    return save_run(L, r, went, piece, code);
}
