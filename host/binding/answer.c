#include "binding/answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/path.h"
#include "binding/devpage.h"
#include "binding/error.h"
#include "binding/file_cache.h"
#include "binding/json.h"
#include "binding/request_type.h"
#include "binding/state.h"
#include "binding/stream.h"
#include "binding/task.h"

/* --- reason phrases (RFC 9110 section 15 and the IANA registry)
 * ------------------------------- */

struct reason {
    uint16_t status;
    struct slice text;
};

static const struct reason reasons[] = {
    {200, SLICE_INIT("OK")},
    {201, SLICE_INIT("Created")},
    {202, SLICE_INIT("Accepted")},
    {203, SLICE_INIT("Non-Authoritative Information")},
    {204, SLICE_INIT("No Content")},
    {205, SLICE_INIT("Reset Content")},
    {206, SLICE_INIT("Partial Content")},
    {207, SLICE_INIT("Multi-Status")},
    {300, SLICE_INIT("Multiple Choices")},
    {301, SLICE_INIT("Moved Permanently")},
    {302, SLICE_INIT("Found")},
    {303, SLICE_INIT("See Other")},
    {304, SLICE_INIT("Not Modified")},
    {307, SLICE_INIT("Temporary Redirect")},
    {308, SLICE_INIT("Permanent Redirect")},
    {400, SLICE_INIT("Bad Request")},
    {401, SLICE_INIT("Unauthorized")},
    {402, SLICE_INIT("Payment Required")},
    {403, SLICE_INIT("Forbidden")},
    {404, SLICE_INIT("Not Found")},
    {405, SLICE_INIT("Method Not Allowed")},
    {406, SLICE_INIT("Not Acceptable")},
    {407, SLICE_INIT("Proxy Authentication Required")},
    {408, SLICE_INIT("Request Timeout")},
    {409, SLICE_INIT("Conflict")},
    {410, SLICE_INIT("Gone")},
    {411, SLICE_INIT("Length Required")},
    {412, SLICE_INIT("Precondition Failed")},
    {413, SLICE_INIT("Content Too Large")},
    {414, SLICE_INIT("URI Too Long")},
    {415, SLICE_INIT("Unsupported Media Type")},
    {416, SLICE_INIT("Range Not Satisfiable")},
    {417, SLICE_INIT("Expectation Failed")},
    {418, SLICE_INIT("I'm a teapot")},
    {421, SLICE_INIT("Misdirected Request")},
    {422, SLICE_INIT("Unprocessable Content")},
    {423, SLICE_INIT("Locked")},
    {424, SLICE_INIT("Failed Dependency")},
    {425, SLICE_INIT("Too Early")},
    {426, SLICE_INIT("Upgrade Required")},
    {428, SLICE_INIT("Precondition Required")},
    {429, SLICE_INIT("Too Many Requests")},
    {431, SLICE_INIT("Request Header Fields Too Large")},
    {451, SLICE_INIT("Unavailable For Legal Reasons")},
    {500, SLICE_INIT("Internal Server Error")},
    {501, SLICE_INIT("Not Implemented")},
    {502, SLICE_INIT("Bad Gateway")},
    {503, SLICE_INIT("Service Unavailable")},
    {504, SLICE_INIT("Gateway Timeout")},
    {505, SLICE_INIT("HTTP Version Not Supported")},
    {507, SLICE_INIT("Insufficient Storage")},
    {511, SLICE_INIT("Network Authentication Required")},
};

struct slice answer_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return SLICE_LIT("");
}

static void set_status(struct request *r, unsigned status)
{
    struct slice reason = status == 200 ? reasons[0].text : answer_reason(status);
    r->response.StatusCode = (USHORT)status;
    r->response.pReason = reason.p;
    r->response.ReasonLength = (USHORT)reason.len;
    if (status == 204 || status == 304) {
        r->head_only = true;
    }
}

/* --- what was returned
 * ----------------------------------------------------------------------- */

/* Where the parts of an answer stand; 0: absent. */
struct plan {
    unsigned status;
    int headers;
    int body;
};

static COLD int raise_wrong(lua_State *L, int first)
{
    luaL_Buffer b;
    int top = lua_gettop(L);
    luaL_buffinit(L, &b);
    for (int i = first; i <= top; i++) {
        luaL_addstring(&b, i > first ? ", " : "");
        luaL_addstring(&b, luaL_typename(L, i));
    }
    luaL_pushresult(&b);
    return luaL_error(L,
                      "a handler returned (%s); allowed: nothing, a string, a table (JSON), a "
                      "function(stream), http.file, a status, (status, body), (status, headers, "
                      "body), or (nil, error)",
                      lua_tostring(L, -1));
}

#define FILE_TYPE "http.file"

struct answer_file {
    const void *tag;        /* &file_tag: no other userdata of this size has it */
    struct open_file *file; /* a share; NULL: closed */
    bool typed;             /* the script gave a type: the user value */
};

static const char file_tag = 0;

/* The tag is cheaper to look at than the metatable. NULL: it is no http.file. */
static struct answer_file *test_file(lua_State *L, int index)
{
    struct answer_file *file = lua_touserdata(L, index);
    return file != NULL && lua_rawlen(L, index) == sizeof *file && file->tag == &file_tag ? file
                                                                                          : NULL;
}

static bool is_body(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TSTRING:
    case LUA_TTABLE:
    case LUA_TFUNCTION: return true;
    case LUA_TUSERDATA: return test_file(L, index) != NULL;
    default: return false;
    }
}

static void read_status(lua_State *L, int index, struct plan *plan)
{
    lua_Integer status = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
    if (status < ANSWER_STATUS_MIN || status > ANSWER_STATUS_MAX) {
        luaL_error(L, "a status is an integer from %d to %d, not %s", ANSWER_STATUS_MIN,
                   ANSWER_STATUS_MAX, luaL_tolstring(L, index, NULL));
    }
    plan->status = (unsigned)status;
}

static void read_plan(lua_State *L, int first, struct plan *plan)
{
    int count = lua_gettop(L) - first + 1;
    *plan = (struct plan){.status = 200};
    if (count <= 0 || (count == 1 && lua_isnil(L, first))) {
        plan->status = 204;
    } else if (lua_type(L, first) == LUA_TNUMBER && count <= 3) {
        read_status(L, first, plan);
        plan->headers = count == 3 ? first + 1 : 0;
        plan->body = count > 1 ? first + count - 1 : 0;
    } else if (count == 2 && lua_isnil(L, first)) {
        lua_error(L); /* nil, error: the error is on top */
    } else if (count == 1) {
        plan->body = first;
    } else {
        raise_wrong(L, first);
    }
    if (plan->body != 0 && !is_body(L, plan->body)) {
        raise_wrong(L, first);
    }
}

/* --- sending
 * --------------------------------------------------------------------------------- */

static int after_send(lua_State *L, int status, lua_KContext respond)
{
    (void)status; /* the code is kept in the task */
    ULONG code = task_current(L)->op_status;
    if (respond == 0) {
        return 0; /* the handler is over; who has gone needs no answer */
    }
    if (code != NO_ERROR) {
        return error_return(L, "HttpSendHttpResponse", code, NULL,
                            "the client has gone or was cut off");
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int send_whole(lua_State *L, struct request *r, bool respond)
{
    struct task *t = task_current(L);
    ULONG code = httpreq_send(r);
    if (code == ERROR_IO_PENDING) {
        return op_wait(L, &r->send, UINT64_MAX, respond, after_send);
    }
    t->op_status = code;
    return after_send(L, LUA_OK, respond);
}

static void set_memory(struct request *r, const char *p, size_t len)
{
    assert(len <= MAXULONG);
    r->chunk.DataChunkType = HttpDataChunkFromMemory;
    r->chunk.FromMemory.pBuffer = (PVOID)(uintptr_t)p;
    r->chunk.FromMemory.BufferLength = (ULONG)len;
}

/* An answer to HEAD says how long the body would be (RFC 9110 section 9.3.2); a length that the
 * script gave must be true. */
static void check_length(lua_State *L, struct request *r, uint64_t len,
                         const struct headers_seen *seen)
{
    bool has_body = r->response.StatusCode != 204 && r->response.StatusCode != 304;
    if (seen->content_length) {
        if (has_body && !r->head_only && seen->length != len) {
            luaL_error(L, "header 'Content-Length' says %I, but the body has %I bytes",
                       (lua_Integer)seen->length, (lua_Integer)len);
        }
    } else if (r->head_only && has_body) {
        int n = snprintf(r->digits, sizeof r->digits, "%llu", (unsigned long long)len);
        headers_set(r, HttpHeaderContentLength, slice_make(r->digits, (size_t)n));
    }
}

static void set_type(struct request *r, struct slice type, const struct headers_seen *seen)
{
    if (!seen->content_type && r->response.StatusCode != 204 && r->response.StatusCode != 304) {
        headers_set(r, HttpHeaderContentType, type);
    }
}

static void set_text(lua_State *L, struct request *r, int index, const struct headers_seen *seen)
{
    size_t len = 0;
    const char *p = lua_tolstring(L, index, &len);
    check_length(L, r, len, seen);
    set_memory(r, p, len);
}

/* --- streamed bodies
 * ------------------------------------------------------------------------- */

static int finish_body(lua_State *L, lua_KContext ctx, bool respond)
{
    struct request *r = httpreq_find(state_of(L), (uint64_t)ctx);
    if (r == NULL) { /* the function closed the stream itself */
        task_current(L)->op_status = NO_ERROR;
        return after_send(L, LUA_OK, respond);
    }
    return httpstream_finish_wait(L, r, respond, after_send);
}

static int returned_body_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* nothing was protected: errors do not come here */
    return finish_body(L, ctx, false);
}

static int responded_body_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* as above */
    return finish_body(L, ctx, true);
}

/* The function is on top; the head has been taken. */
static int call_body(lua_State *L, struct request *r, bool respond)
{
    lua_KFunction k = respond ? responded_body_done : returned_body_done;
    lua_KContext id = (lua_KContext)r->id;
    if (r->head_only) {
        return finish_body(L, id, respond);
    }
    httpstream_push(L, r);
    lua_callk(L, 1, 0, id, k);
    return k(L, LUA_OK, id);
}

static int head_sent(lua_State *L, lua_KContext ctx, bool respond)
{
    struct request *r = httpreq_find(state_of(L), (uint64_t)ctx);
    if (r == NULL || task_current(L)->op_status != NO_ERROR) {
        if (r != NULL) {
            httpreq_cancel(r);
        }
        return after_send(L, LUA_OK, respond);
    }
    return call_body(L, r, respond);
}

static int returned_head_sent(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* the code is kept in the task */
    return head_sent(L, ctx, false);
}

static int responded_head_sent(lua_State *L, int status, lua_KContext ctx)
{
    (void)status; /* as above */
    return head_sent(L, ctx, true);
}

/* Leaves the function on top for call_body. */
static int send_function(lua_State *L, struct request *r, int index, bool respond)
{
    uint64_t id = r->id;
    lua_pushvalue(L, index);
    ULONG code = httpstream_send_head(r);
    if (code == ERROR_IO_PENDING) {
        return op_wait(L, &r->send, UINT64_MAX, (lua_KContext)id,
                       respond ? responded_head_sent : returned_head_sent);
    }
    task_current(L)->op_status = code;
    return head_sent(L, (lua_KContext)id, respond);
}

/* --- files
 * ----------------------------------------------------------------------------------- */

struct file_kind {
    const char *extension;
    struct slice type;
};

static const struct file_kind file_kinds[] = {
    {"html", SLICE_INIT("text/html; charset=utf-8")},
    {"htm", SLICE_INIT("text/html; charset=utf-8")},
    {"css", SLICE_INIT("text/css; charset=utf-8")},
    {"js", SLICE_INIT("text/javascript; charset=utf-8")},
    {"mjs", SLICE_INIT("text/javascript; charset=utf-8")},
    {"json", SLICE_INIT("application/json")},
    {"txt", SLICE_INIT("text/plain; charset=utf-8")},
    {"md", SLICE_INIT("text/markdown; charset=utf-8")},
    {"lua", SLICE_INIT("text/plain; charset=utf-8")},
    {"csv", SLICE_INIT("text/csv; charset=utf-8")},
    {"xml", SLICE_INIT("application/xml")},
    {"svg", SLICE_INIT("image/svg+xml")},
    {"png", SLICE_INIT("image/png")},
    {"jpg", SLICE_INIT("image/jpeg")},
    {"jpeg", SLICE_INIT("image/jpeg")},
    {"gif", SLICE_INIT("image/gif")},
    {"webp", SLICE_INIT("image/webp")},
    {"avif", SLICE_INIT("image/avif")},
    {"ico", SLICE_INIT("image/x-icon")},
    {"woff2", SLICE_INIT("font/woff2")},
    {"woff", SLICE_INIT("font/woff")},
    {"wasm", SLICE_INIT("application/wasm")},
    {"pdf", SLICE_INIT("application/pdf")},
    {"zip", SLICE_INIT("application/zip")},
    {"gz", SLICE_INIT("application/gzip")},
    {"mp3", SLICE_INIT("audio/mpeg")},
    {"mp4", SLICE_INIT("video/mp4")},
    {"webm", SLICE_INIT("video/webm")},
};

static struct slice type_by_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof file_kinds / sizeof file_kinds[0]; i++) {
        if (slice_equal_nocase(slice_from_cstr(dot + 1),
                               slice_from_cstr(file_kinds[i].extension))) {
            return file_kinds[i].type;
        }
    }
    return SLICE_LIT("application/octet-stream");
}

static int fail_open(lua_State *L, ULONG code, const char *path)
{
    bool missing =
        code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || code == ERROR_NOT_SUPPORTED;
    error_return(L, NULL, code, path,
                 code == ERROR_NOT_SUPPORTED ? "not a regular file" : "the file cannot be opened");
    lua_pushinteger(L, missing ? 404 : code == ERROR_ACCESS_DENIED ? 403 : 500);
    lua_setfield(L, -2, "status");
    return 2;
}

int answer_new_file(lua_State *L)
{
    struct slice path;
    path.p = luaL_checklstring(L, 1, &path.len);
    struct state *S = state_of(L);
    bool typed = false;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        error_check_options(L, 2, (const char *const[]){"type", NULL});
        typed = lua_getfield(L, 2, "type") != LUA_TNIL;
        if (typed) {
            luaL_checkstring(L, 3);
        }
    }
    struct answer_file *file = lua_newuserdatauv(L, sizeof *file, typed ? 1 : 0);
    *file = (struct answer_file){.tag = &file_tag, .typed = typed};
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->ref_file);
    lua_setmetatable(L, -2);
    if (typed) {
        lua_pushvalue(L, 3);
        lua_setiuservalue(L, -2, 1);
    }
    ULONG code = memchr(path.p, 0, path.len) != NULL
                     ? ERROR_FILE_NOT_FOUND
                     : file_cache_open(&S->files, path, &file->file);
    if (code != NO_ERROR) {
        return fail_open(L, code, path.p);
    }
    if (file->file->type.p == NULL) {
        file->file->type = type_by_name(file->file->path);
    }
    return 1;
}

static struct answer_file *check_file(lua_State *L)
{
    struct answer_file *file = test_file(L, 1);
    if (file == NULL) {
        luaL_typeerror(L, 1, FILE_TYPE);
    }
    return file;
}

static int close_file(lua_State *L)
{
    struct answer_file *file = check_file(L);
    if (file->file != NULL) {
        file_cache_release(file->file);
        file->file = NULL;
    }
    return 0;
}

static int tostring_file(lua_State *L)
{
    const struct answer_file *file = check_file(L);
    if (file->file != NULL) {
        lua_pushfstring(L, "http.file (%I bytes)", (lua_Integer)file->file->stamp.bytes);
    } else {
        lua_pushliteral(L, "http.file (closed)");
    }
    return 1;
}

static const struct binding_entry file_methods[] = {
    {"close", close_file, "fun(self: http.file)", "Closes the file; silent when closed."},
    {NULL, NULL, NULL, NULL},
};

static const struct luaL_Reg file_meta[] = {
    {"__gc", close_file},
    {"__close", close_file},
    {"__tostring", tostring_file},
    {NULL, NULL},
};

const struct binding_type file_type = {
    .name = FILE_TYPE,
    .doc = "A file to be sent; may be returned by many handlers, as often as needed.",
    .methods = file_methods,
    .metamethods = file_meta,
};

/* The type that the script gave; stays on the stack until the answer is sent. */
static struct slice push_given_type(lua_State *L, int index)
{
    struct slice type;
    lua_getiuservalue(L, index, 1);
    type.p = lua_tolstring(L, -1, &type.len);
    for (size_t i = 0; i < type.len; i++) {
        if (type.p[i] == '\r' || type.p[i] == '\n' || type.p[i] == 0) {
            luaL_error(L, "the type of an http.file has a line break or NUL in it");
        }
    }
    if (type.len > HEADERS_VALUE_BYTES_MAX) {
        luaL_error(L, "the type of an http.file is too long");
    }
    return type;
}

static APART int send_file(lua_State *L, struct request *r, int index, bool respond,
                           const struct headers_seen *seen)
{
    const struct answer_file *answer = lua_touserdata(L, index);
    struct open_file *file = answer->file;
    if (file == NULL) {
        return luaL_error(L, "closed http.file");
    }
    if (file_cache_refresh(&state_of(L)->files, file) != NO_ERROR) {
        return luaL_error(L, "%s cannot be read any more", file->path);
    }
    set_type(r, answer->typed ? push_given_type(L, index) : file->type, seen);
    check_length(L, r, file->stamp.bytes, seen);
    if (file->stamp.bytes == 0) {
        set_memory(r, "", 0);
    } else if (file->content != NULL) {
        set_memory(r, file->content, (size_t)file->stamp.bytes);
    } else {
        r->chunk.DataChunkType = HttpDataChunkFromFileHandle;
        r->chunk.FromFileHandle.ByteRange.StartingOffset.QuadPart = 0;
        r->chunk.FromFileHandle.ByteRange.Length.QuadPart = file->stamp.bytes;
        r->chunk.FromFileHandle.FileHandle = file->handle;
    }
    file->shares++; /* until the last byte is gone, whoever closes the http.file */
    if (r->file != NULL) {
        file_cache_release(r->file); /* of an attempt that was refused */
    }
    r->file = file;
    return send_whole(L, r, respond);
}

/* --- one answer
 * ------------------------------------------------------------------------------ */

void answer_begin(lua_State *L, struct request *r, unsigned status, int headers,
                  struct headers_seen *seen)
{
    headers_reset(r); /* what an attempt that raised has left */
    r->head_only = r->http->Verb == HttpVerbHEAD;
    set_status(r, status);
    *seen = (struct headers_seen){0};
    if (headers != 0) {
        headers_fill(L, headers, r, seen);
    }
}

static APART int send_table(lua_State *L, struct request *r, int index, bool respond,
                            const struct headers_seen *seen)
{
    if (!json_push(L, index, JSON_BYTES_MAX)) {
        return luaL_error(L, "the table cannot become JSON: %s", lua_tostring(L, -1));
    }
    set_type(r, SLICE_LIT("application/json"), seen);
    set_text(L, r, lua_gettop(L), seen);
    return send_whole(L, r, respond);
}

static int run(lua_State *L, struct request *r, int first, bool respond)
{
    struct plan plan;
    struct headers_seen seen = {0};
    read_plan(L, first, &plan);
    answer_begin(L, r, plan.status, plan.headers, &seen);
    switch (plan.body == 0 ? LUA_TNIL : lua_type(L, plan.body)) {
    case LUA_TSTRING:
        set_type(r, SLICE_LIT("text/plain; charset=utf-8"), &seen);
        set_text(L, r, plan.body, &seen);
        return send_whole(L, r, respond);
    case LUA_TTABLE: return send_table(L, r, plan.body, respond, &seen);
    case LUA_TFUNCTION: return send_function(L, r, plan.body, respond);
    case LUA_TUSERDATA: return send_file(L, r, plan.body, respond, &seen);
    default: set_memory(r, "", 0); return send_whole(L, r, respond);
    }
}

int answer_return(lua_State *L, struct request *r, int first)
{
    assert(r->phase == REQUEST_LIVE);
    if (lua_gettop(L) == first && lua_type(L, first) == LUA_TSTRING && r->known_set == 0) {
        size_t len = 0;
        const char *p = lua_tolstring(L, first, &len);
        static const struct headers_seen nothing = {0};
        set_status(r, 200);
        headers_set(r, HttpHeaderContentType, SLICE_LIT("text/plain; charset=utf-8"));
        if (r->head_only) {
            check_length(L, r, len, &nothing);
        }
        set_memory(r, p, len);
        return send_whole(L, r, false);
    }
    return run(L, r, first, false);
}

int answer_respond(lua_State *L)
{
    struct request *r = request_type_check(L, 1);
    if (r->phase != REQUEST_LIVE) {
        return luaL_error(L, "this request is being answered by its stream");
    }
    task_check_wait(L);
    return run(L, r, 2, true);
}

/* --- answers to failures
 * --------------------------------------------------------------------- */

/* (error value) -> message, status; with metamethods, so in protected mode. */
static int describe_error(lua_State *L)
{
    int status = 500;
    if (lua_type(L, 1) == LUA_TTABLE) {
        lua_getfield(L, 1, "status");
        lua_Integer given = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        status = given >= 400 && given <= 599 ? (int)given : 500;
    }
    luaL_tolstring(L, 1, NULL);
    lua_pushinteger(L, status);
    return 2;
}

/* One line of the log for each line of the text. */
static void log_lines(const struct state *S, const char *id, const char *text)
{
    while (text != NULL && *text != 0) {
        size_t len = strcspn(text, "\n");
        int skip = text[0] == '\t' ? 1 : 0; /* of a traceback; the log would escape it */
        log_write(S->log, LOG_LEVEL_ERROR, "%s   %s%.*s", id, skip != 0 ? "  " : "",
                  (int)len - skip, text + skip);
        text += len + (text[len] == '\n' ? 1 : 0);
    }
}

static void answer_failed(struct request *r, unsigned status, const char *id, const char *message,
                          const char *traceback)
{
    if (r->state->dev != NULL) {
        devpage_fail(r, status, id, message, traceback);
        return;
    }
    int n = snprintf(r->note, sizeof r->note, "%s (error %s)\n", answer_reason(status).p, id);
    httpreq_answer_plain(
        r, status,
        slice_make(r->note, (size_t)n < sizeof r->note ? (size_t)n : sizeof r->note - 1));
}

void answer_failure(lua_State *L, struct request *r, int index, const char *traceback)
{
    struct state *S = state_of(L);
    char id[48], what[160];
    int top = lua_gettop(L);
    unsigned status = 500;
    const char *message = "(no message: not enough memory)";
    index = lua_absindex(L, index);
    if (lua_checkstack(L, 8) != 0) {
        lua_pushcfunction(L, describe_error);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 2, 0) == LUA_OK && lua_type(L, -2) == LUA_TSTRING) {
            message = lua_tostring(L, -2);
            status = (unsigned)lua_tointeger(L, -1);
        }
    }
    httpreq_describe(r, what, sizeof what);
    (void)snprintf(id, sizeof id, "%u-%u-%llu", (unsigned)S->generation, (unsigned)S->worker,
                   (unsigned long long)++S->error_count);
    if (status >= 500) {
        log_write(S->log, LOG_LEVEL_ERROR, "%s %s: %u", id, what, status);
        log_lines(S, id, message);
        log_lines(S, id, traceback);
    } else {
        log_write(S->log, LOG_LEVEL_INFO, "%s %s: %u %s", id, what, status, message);
    }
    if (r->phase == REQUEST_LIVE) {
        answer_failed(r, status, id, message, traceback);
    } else {
        httpreq_cancel(r);
    }
    lua_settop(L, top);
}
