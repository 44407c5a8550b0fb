#include "binding/tree.h"

#include <string.h>

#include <lauxlib.h>

#include "binding/ledger.h"
#include "binding/module.h"
#include "binding/state.h"

#define TREE_TYPE "http.tree"

/* A copy of the ledger, taken under its lock; Lua must not raise there. */
struct copy {
    struct ledger_info *items; /* NULL: only counts */
    size_t cap;
    size_t count;
};

static bool take(void *ctx, const struct ledger_info *info)
{
    struct copy *copy = ctx;
    if (copy->items != NULL) {
        if (copy->count == copy->cap) {
            return false; /* grown since it was counted: the rest is for the next call */
        }
        copy->items[copy->count] = *info;
    }
    copy->count++;
    return true;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (text[0] != '\0') {
        lua_pushstring(L, text);
        lua_setfield(L, -2, key);
    }
}

static void set_number(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

/* Pushes a node without its children. [-0,+1,m] */
static void push_node(lua_State *L, const struct ledger_info *info)
{
    lua_createtable(L, 0, 8);
    set_text(L, "kind", ledger_kind_name(info->kind));
    set_text(L, "state", ledger_state_name(info->state));
    set_text(L, "name", info->name);
    if (info->kind == NODE_INITIALIZATION) {
        set_text(L, "name", info->handle == HTTP_INITIALIZE_CONFIG ? "config" : "server");
        return;
    }
    set_number(L, "shares", info->shares);
    if (info->made.file[0] != '\0') {
        lua_pushfstring(L, "%s:%d", info->made.file, info->made.line);
        lua_setfield(L, -2, "made");
    }
}

/* Appends the value on top to the list `children` of the table at index, made on demand. [-1,+0,m]
 */
static void append_child(lua_State *L, int index)
{
    if (lua_getfield(L, index, "children") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, index, "children");
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
}

/* The ledger's part: root is at 1; 2 becomes a table of nodes by id. */
static void add_nodes(lua_State *L, const struct copy *copy)
{
    lua_newtable(L);
    for (size_t i = 0; i < copy->count; i++) {
        const struct ledger_info *info = &copy->items[i];
        push_node(L, info);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, (lua_Integer)info->id);
        if (info->queue != 0 && lua_rawgeti(L, 2, (lua_Integer)info->queue) == LUA_TTABLE) {
            /* Queues come first, so it is there: told by name, or where it was made. */
            if (lua_getfield(L, -1, "name") == LUA_TNIL) {
                lua_pop(L, 1);
                lua_getfield(L, -1, "made");
            }
            lua_setfield(L, -3, "queue");
            lua_pop(L, 1);
        }
        if (info->parent != 0 && lua_rawgeti(L, 2, (lua_Integer)info->parent) == LUA_TTABLE) {
            lua_insert(L, -2);
            append_child(L, lua_absindex(L, -2));
            lua_pop(L, 1);
        } else {
            lua_settop(L, info->parent != 0 ? lua_gettop(L) - 1 : lua_gettop(L));
            append_child(L, 1);
        }
    }
    lua_settop(L, 1);
}

/* The state's part. [-0,+0,m] */
static void add_worker(lua_State *L)
{
    static const char *const names[LIVE_COUNT] = {
        [LIVE_TASK] = "tasks",   [LIVE_REQUEST] = "requests",     [LIVE_STREAM] = "streams",
        [LIVE_TIMER] = "timers", [LIVE_COROUTINE] = "coroutines",
    };
    const struct state *S = state_of(L);
    lua_createtable(L, 0, LIVE_COUNT + 3);
    set_number(L, "number", S->worker);
    set_number(L, "generation", S->generation);
    set_number(L, "memory", S->account.bytes);
    for (enum live_kind kind = 0; kind < LIVE_COUNT; kind++) {
        set_number(L, names[kind], state_count_live(S, kind));
    }
    lua_setfield(L, 1, "worker");
}

/* Builds the table at 1 of a stack of its own. [-0,+1,m] */
static int build(lua_State *L)
{
    struct copy copy = {NULL, 0, 0};
    struct ledger *ledger = state_of(L)->ledger;
    lua_settop(L, 0);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, "host");
    lua_setfield(L, 1, "kind");
    luaL_setmetatable(L, TREE_TYPE);
    ledger_walk(ledger, take, &copy);
    copy.cap = copy.count + 8;
    copy.count = 0;
    copy.items = lua_newuserdatauv(L, copy.cap * sizeof *copy.items, 0);
    ledger_walk(ledger, take, &copy);
    lua_setfield(L, 1, "copy"); /* keeps the copy while it is read */
    add_nodes(L, &copy);
    lua_pushnil(L);
    lua_setfield(L, 1, "copy");
    add_worker(L);
    return 1;
}

void tree_push(lua_State *L)
{
    lua_pushcfunction(L, build);
    lua_call(L, 0, 1);
}

/* --- as text -------------------------------------------------------------------------------- */

/* Appends the string on top to the lines at 2. [-1,+0,m] */
static void add_line(lua_State *L)
{
    lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
}

/* A field of the table on top as text, "" when there is none; stays on the stack. [-0,+1,e] */
static const char *text_field(lua_State *L, int index, const char *key)
{
    lua_getfield(L, index, key);
    return lua_isnil(L, -1) ? "" : luaL_tolstring(L, -1, NULL);
}

/* Lines of the node on top and of what is below it. A tree of ours is four deep. [-0,+0,e] */
static void add_lines(lua_State *L, int depth)
{
    static const char indent[] = "                ";
    int node = lua_gettop(L);
    luaL_checkstack(L, 20, NULL);
    const char *kind = text_field(L, node, "kind");
    const char *name = text_field(L, node, "name");
    const char *state = text_field(L, node, "state");
    const char *made = text_field(L, node, "made");
    lua_pushlstring(L, indent, (size_t)(depth > 8 ? 8 : depth) * 2);
    const char *space = lua_tostring(L, -1);
    lua_pushfstring(L, "%s%s%s%s%s%s%s%s", space, kind, name[0] == '\0' ? "" : " ", name,
                    state[0] == '\0' ? "" : ", ", state, made[0] == '\0' ? "" : ", ", made);
    add_line(L);
    lua_settop(L, node);
    if (lua_getfield(L, node, "children") == LUA_TTABLE && depth < 8) {
        lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, node + 1, i);
            add_lines(L, depth + 1);
            lua_settop(L, node + 1);
        }
    }
    lua_settop(L, node);
}

/* tostring(tree) [-0,+1,e] */
static int tree_tostring(lua_State *L)
{
    luaL_Buffer text;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    add_lines(L, 0);
    lua_settop(L, 2);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    luaL_buffinit(L, &text);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1) {
            luaL_addchar(&text, '\n');
        }
        lua_rawgeti(L, 2, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return 1;
}

/* http.tree() -> table [-0,+1,m] */
static int tree(lua_State *L)
{
    tree_push(L);
    return 1;
}

static const struct binding_entry functions[] = {
    {"tree", tree, "fun(): http.tree",
     "What is open: sessions, groups, URLs, queues, and the counts of this worker."},
    {0}};

static const luaL_Reg metamethods[] = {{"__tostring", tree_tostring}, {NULL, NULL}};

static const struct binding_entry fields[] = {
    {"kind", NULL, "string", "\"host\"."},
    {"children", NULL, "table[]",
     "Queues and sessions; groups are below sessions, URLs below groups."},
    {"worker", NULL, "table",
     "number, generation, memory, tasks, requests, streams, timers, coroutines."},
    {0}};

static const struct binding_type tree_type = {
    .name = TREE_TYPE,
    .doc = "What is open, as a table; tostring makes lines of it.",
    .fields = fields,
    .metamethods = metamethods,
};

static const struct binding_type *const types[] = {&tree_type, NULL};
const struct binding_part tree_part = {.functions = functions, .types = types};
