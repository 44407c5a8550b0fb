#include "runtime/store_lua.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/log.h"
#include "binding/error.h"
#include "binding/state.h"
#include "binding/task.h"
#include "runtime/generation.h"
#include "runtime/hostdata.h"
#include "runtime/plain.h"
#include "runtime/store.h"

#define STORE_TYPE "http.store"
#define HOOKS_KEY  "moonlatch.unload"

enum { UPDATE_TRIES_MAX = 1000, HOOKS_MAX = 256, KEYS_BYTES_MAX = STORE_BYTES_MAX };

static struct host *host_of(lua_State *L)
{
    const struct member *member = state_of(L)->host;
    return member->host;
}

static struct store *check_store(lua_State *L)
{
    (void)luaL_checkudata(L, 1, STORE_TYPE);
    return host_of(L)->store;
}

static struct slice check_key(lua_State *L)
{
    struct slice key;
    key.p = luaL_checklstring(L, 2, &key.len);
    luaL_argcheck(L, key.len > 0 && key.len <= STORE_KEY_BYTES_MAX, 2, "a key has 1 to 1024 bytes");
    return key;
}

static uint64_t check_ttl(lua_State *L, int index)
{
    lua_Number seconds = luaL_optnumber(L, index, 0);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, index, "a time to live is in seconds");
    return (uint64_t)(seconds * 1e9);
}

/* http.store([url]) [-(0|1), +1, e] */
static int open_store(lua_State *L)
{
    const char *url = luaL_optstring(L, 1, "memory:");
    if (strcmp(url, "memory:") != 0) {
        return luaL_error(L, "http.store: only \"memory:\" is built, not \"%s\"", url);
    }
    (void)lua_newuserdatauv(L, 0, 0);
    luaL_setmetatable(L, STORE_TYPE);
    return 1;
}

/* A buffer that Lua frees, whatever is raised. */
static int free_scratch(lua_State *L)
{
    buf_deinit(lua_touserdata(L, 1));
    return 0;
}

static struct buf *push_scratch(lua_State *L, size_t max)
{
    struct buf *scratch = lua_newuserdatauv(L, sizeof *scratch, 0);
    buf_init(scratch, max);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_scratch);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return scratch;
}

static int fail(lua_State *L, ULONG code, struct slice key)
{
    (void)lua_pushlstring(L, key.p, key.len);
    return error_return(L, NULL, code, lua_tostring(L, -1),
                        code == ERROR_NOT_ENOUGH_MEMORY
                            ? "the store is full (64 MiB, 1,048,576 keys)"
                            : "changed again and again by others");
}

/* The value at index as bytes in a scratch buffer, which it pushes. */
static struct slice encode(lua_State *L, int index)
{
    struct buf *scratch = push_scratch(L, STORE_VALUE_BYTES_MAX);
    const char *why = plain_write(L, index, scratch);
    if (why != NULL) {
        luaL_error(L,
                   "http.store keeps plain data (nil, booleans, numbers, strings, tables of them, "
                   "at most 1 MiB), not %s",
                   why);
    }
    return slice_make(scratch->p, scratch->len);
}

/* Pushes the value, or nil. Returns its version. */
static uint64_t push_present(lua_State *L, struct store *store, struct slice key)
{
    uint64_t version = 0;
    struct buf *scratch = push_scratch(L, STORE_VALUE_BYTES_MAX);
    ULONG code = store->backend->get(store, key, scratch, &version);
    if (code == ERROR_NOT_ENOUGH_MEMORY) {
        luaL_error(L, "not enough memory");
    }
    if (code == NO_ERROR) {
        plain_push(L, slice_make(scratch->p, scratch->len));
    } else {
        lua_pushnil(L);
    }
    buf_deinit(scratch);
    buf_init(scratch, 0);
    lua_remove(L, -2);
    return version;
}

static int get(lua_State *L)
{
    struct store *store = check_store(L);
    (void)push_present(L, store, check_key(L));
    return 1;
}

static int put(lua_State *L)
{
    struct store *store = check_store(L);
    struct slice key = check_key(L);
    uint64_t ttl_ns = check_ttl(L, 4);
    bool removes = lua_isnil(L, 3);
    luaL_checkany(L, 3);
    struct slice value = removes ? SLICE_LIT("") : encode(L, 3);
    ULONG code = store->backend->set(store, key, removes ? NULL : &value, STORE_ANY, ttl_ns);
    if (code != NO_ERROR && code != ERROR_FILE_NOT_FOUND) {
        return fail(L, code, key);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int delete (lua_State *L)
{
    struct store *store = check_store(L);
    ULONG code = store->backend->set(store, check_key(L), NULL, STORE_ANY, 0);
    lua_pushboolean(L, code == NO_ERROR);
    return 1;
}

/* The new value is on top: sets it if nobody was faster. */
static ULONG try_set(lua_State *L, struct store *store, struct slice key, uint64_t version,
                     uint64_t ttl_ns)
{
    bool removes = lua_isnil(L, -1);
    struct slice value = removes ? SLICE_LIT("") : encode(L, lua_gettop(L));
    ULONG code = removes && version == 0
                     ? NO_ERROR
                     : store->backend->set(store, key, removes ? NULL : &value, version, ttl_ns);
    lua_pop(L, removes ? 0 : 1);
    return code;
}

static int update(lua_State *L)
{
    struct store *store = check_store(L);
    struct slice key = check_key(L);
    uint64_t ttl_ns = check_ttl(L, 4);
    ULONG code = ERROR_SHARING_VIOLATION;
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 4);
    for (int i = 0; i < UPDATE_TRIES_MAX && code == ERROR_SHARING_VIOLATION; i++) {
        lua_settop(L, 4);
        lua_pushvalue(L, 3);
        uint64_t version = push_present(L, store, key);
        lua_call(L, 1, 1); /* not lua_callk: it must not wait between get and set */
        code = try_set(L, store, key, version, ttl_ns);
    }
    return code == NO_ERROR ? 1 : fail(L, code, key);
}

static int incr(lua_State *L)
{
    struct store *store = check_store(L);
    struct slice key = check_key(L);
    uint64_t ttl_ns = check_ttl(L, 4);
    ULONG code = ERROR_SHARING_VIOLATION;
    lua_settop(L, 4);
    if (lua_isnil(L, 3)) {
        lua_pushinteger(L, 1);
        lua_replace(L, 3);
    }
    (void)luaL_checknumber(L, 3);
    for (int i = 0; i < UPDATE_TRIES_MAX && code == ERROR_SHARING_VIOLATION; i++) {
        lua_settop(L, 4);
        uint64_t version = push_present(L, store, key);
        if (lua_isnil(L, -1)) {
            lua_pushinteger(L, 0);
            lua_replace(L, -2);
        } else if (lua_type(L, -1) != LUA_TNUMBER) {
            return luaL_error(L, "http.store: '%s' is not a number but a %s", key.p,
                              luaL_typename(L, -1));
        }
        lua_pushvalue(L, 3);
        lua_arith(L, LUA_OPADD);
        code = try_set(L, store, key, version, ttl_ns);
    }
    return code == NO_ERROR ? 1 : fail(L, code, key);
}

/* keys([prefix]) -> sorted array */
static int keys(lua_State *L)
{
    struct store *store = check_store(L);
    struct slice prefix;
    lua_Integer count = 0;
    prefix.p = luaL_optlstring(L, 2, "", &prefix.len);
    struct buf *scratch = push_scratch(L, KEYS_BYTES_MAX);
    if (store->backend->keys(store, prefix, scratch) != NO_ERROR) {
        return luaL_error(L, "not enough memory");
    }
    lua_newtable(L);
    for (size_t at = 0; at < scratch->len;) {
        size_t len = 0;
        memcpy(&len, scratch->p + at, sizeof len);
        (void)lua_pushlstring(L, scratch->p + at + sizeof len, len);
        lua_rawseti(L, -2, ++count);
        at += sizeof len + len;
    }
    (void)lua_getglobal(L, "table");
    (void)lua_getfield(L, -1, "sort");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    return 1;
}

/* upvalues: store, keys, index. What has gone meanwhile is left out. */
static int next_pair(lua_State *L)
{
    struct store *store = host_of(L)->store;
    lua_Integer index = lua_tointeger(L, lua_upvalueindex(2));
    lua_settop(L, 0);
    for (;;) {
        struct slice key;
        if (lua_rawgeti(L, lua_upvalueindex(1), ++index) == LUA_TNIL) {
            return 1;
        }
        key.p = lua_tolstring(L, -1, &key.len);
        if (push_present(L, store, key) != 0) {
            lua_pushinteger(L, index);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_settop(L, 0);
    }
}

/* pairs([prefix]) -> iterator over the keys of now, sorted, with their values of then */
static int all_pairs(lua_State *L)
{
    (void)keys(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 2);
    return 1;
}

static int count(lua_State *L)
{
    struct store *store = check_store(L);
    size_t key_count = 0;
    size_t bytes = 0;
    store->backend->count(store, &key_count, &bytes);
    lua_pushinteger(L, (lua_Integer)key_count);
    lua_pushinteger(L, (lua_Integer)bytes);
    return 2;
}

/* --- from one generation to the next -----------------------------------------------------------
 */

/* http.on_unload(f) [-1, +0, e] */
static int on_unload(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS_KEY);
    lua_Integer hooks = (lua_Integer)lua_rawlen(L, -1);
    if (hooks >= HOOKS_MAX) {
        return luaL_error(L, "http.on_unload: more than %d functions", HOOKS_MAX);
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, hooks + 1);
    return 0;
}

/* What the hooks of one state have returned. Owner: unload_run. */
struct carried {
    struct buf bytes;
    const char *why; /* the data is no plain data */
};

/* A hook has returned. */
static void hook_ended(struct task *task, enum task_end end, int nresults)
{
    struct carried *carried = task->owner;
    const struct log *log = task->state->log;
    if (end == TASK_FAILED) {
        log_write(log, LOG_LEVEL_ERROR, "http.on_unload: %s",
                  lua_type(task->co, -nresults) == LUA_TSTRING ? lua_tostring(task->co, -nresults)
                                                               : "(error value without a text)");
    }
    if (end != TASK_RETURNED || nresults == 0 || lua_isnil(task->co, -nresults)) {
        return;
    }
    if (task->owner == NULL) {
        log_write(log, LOG_LEVEL_WARN,
                  "http.on_unload: what a function returns after it has waited comes too late");
        return;
    }
    buf_clear(&carried->bytes);
    carried->why = plain_write(task->co, -nresults, &carried->bytes);
}

/* The function is on top of L. */
static void run_hook(struct state *S, lua_State *L, struct carried *carried)
{
    struct task *task = task_acquire(S);
    if (task == NULL) {
        lua_pop(L, 1);
        log_write(S->log, LOG_LEVEL_ERROR, "http.on_unload: not enough memory");
        return;
    }
    lua_xmove(L, task->co, 1);
    task->on_end = hook_ended;
    task->owner = carried;
    task->name = "unload";
    uint64_t id = task_id(task);
    task_resume(task, 0);
    task = task_find(S, id);
    if (task != NULL) {
        task->owner = NULL; /* it waits, and goes on while the generation drains */
    }
}

/* (bytes as light userdata) -> - */
static int set_carried(lua_State *L)
{
    const struct buf *bytes = lua_touserdata(L, 1);
    (void)lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    (void)lua_getfield(L, -1, "http");
    plain_push(L, slice_make(bytes->p, bytes->len));
    lua_setfield(L, -2, "carried");
    return 0;
}

void unload_run(struct member *old, struct member *next)
{
    struct carried carried = {.why = NULL};
    lua_State *L = old->state.L;
    buf_init(&carried.bytes, STORE_VALUE_BYTES_MAX);
    if (lua_checkstack(L, 4) == 0 || lua_getfield(L, LUA_REGISTRYINDEX, HOOKS_KEY) != LUA_TTABLE) {
        lua_settop(L, 0);
        return;
    }
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
        (void)lua_rawgeti(L, -1, i);
        run_hook(&old->state, L, &carried);
    }
    lua_settop(L, 0);
    if (carried.why != NULL) {
        log_write(old->host->log, LOG_LEVEL_ERROR,
                  "http.on_unload returned %s: http.carried takes plain data, at most 1 MiB",
                  carried.why);
    } else if (carried.bytes.len > 0) {
        lua_State *target = next->state.L;
        lua_pushcfunction(target, set_carried);
        lua_pushlightuserdata(target, &carried.bytes);
        if (lua_pcall(target, 1, 0, 0) != LUA_OK) {
            log_write(old->host->log, LOG_LEVEL_ERROR, "http.carried: %s",
                      lua_tostring(target, -1));
            lua_pop(target, 1);
        }
    }
    buf_deinit(&carried.bytes);
}

/* --- the module part ---------------------------------------------------------------------------
 */

static const struct binding_entry methods[] = {
    {"get", get, "fun(self: http.store, key: string): any",
     "The value, a copy; nil when there is none or its time has passed."},
    {"set", put, "fun(self: http.store, key: string, value: any, ttl?: number): true?, http.error?",
     "Keeps plain data, for ttl seconds if given; nil removes it."},
    {"update", update,
     "fun(self: http.store, key: string, f: fun(old: any): any, ttl?: number): any, http.error?",
     "Sets what f makes of the present value, atomically; f may be called again and must not "
     "wait."},
    {"incr", incr,
     "fun(self: http.store, key: string, by?: number, ttl?: number): number?, http.error?",
     "Adds to a number, atomically; what is missing counts as 0."},
    {"delete", delete, "fun(self: http.store, key: string): boolean", "Whether there was one."},
    {"keys", keys, "fun(self: http.store, prefix?: string): string[]", "The keys, sorted."},
    {"pairs", all_pairs, "fun(self: http.store, prefix?: string): fun(): string?, any",
     "For `for key, value in store:pairs() do`, sorted by key."},
    {"count", count, "fun(self: http.store): integer, integer", "How many keys, and bytes in use."},
    {0}};

static const struct binding_type store_type = {
    .name = STORE_TYPE,
    .doc = "Values shared by all workers, kept over reloads.",
    .methods = methods,
};

static const struct binding_type *const types[] = {&store_type, NULL};

static const struct binding_entry functions[] = {
    {"store", open_store, "fun(url?: string): http.store", "The shared store; \"memory:\"."},
    {"on_unload", on_unload, "fun(f: fun(): any)",
     "f is called when a newer generation takes over; what it returns becomes http.carried there."},
    {"carried", NULL, "any", "What the generation before has handed over; nil while loading."},
    {0}};

const struct binding_part store_part = {.functions = functions, .types = types};
