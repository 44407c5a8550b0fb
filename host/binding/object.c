#include "binding/object.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "binding/error.h"
#include "binding/handlers.h"
#include "binding/state.h"

static const char *const type_names[NODE_KIND_COUNT] = {
    [NODE_QUEUE] = QUEUE_TYPE,
    [NODE_SESSION] = SESSION_TYPE,
    [NODE_GROUP] = GROUP_TYPE,
    [NODE_URL] = URL_TYPE,
};

static uint32_t property_bit(uint8_t kind)
{
    switch (kind) {
    case NODE_QUEUE: return PROPERTY_ON_QUEUE;
    case NODE_SESSION: return PROPERTY_ON_SESSION;
    case NODE_GROUP: return PROPERTY_ON_GROUP;
    default: return 0;
    }
}

/* --- callers ------------------------------------------------------------------------------- */

static struct ledger_origin origin_of(const struct state *S)
{
    return (struct ledger_origin){
        .generation = S->generation,
        .worker = S->worker,
        .loading = S->phase == STATE_LOADING || S->phase == STATE_LOADED,
    };
}

void object_caller(lua_State *L, struct caller *caller)
{
    caller->origin = origin_of(state_of(L));
    for (int level = 0; lua_getstack(L, level, &caller->debug); level++) {
        lua_getinfo(L, "Sl", &caller->debug);
        if (caller->debug.currentline <= 0) {
            continue;
        }
        const char *source = caller->debug.source;
        bool named = source[0] == '@' || source[0] == '=';
        caller->origin.file = named ? source + 1 : caller->debug.short_src;
        caller->origin.line = caller->debug.currentline;
        return;
    }
}

/* --- checking ------------------------------------------------------------------------------ */

/* Asks the ledger. false: the handle is closed, *info says where, or is zeroed. */
static bool is_open(lua_State *L, const struct object *object, struct ledger_info *info)
{
    const struct state *S = state_of(L);
    struct ledger_origin origin = origin_of(S);
    memset(info, 0, sizeof *info);
    if (object->closed) {
        info->closed = object->closed_at;
        return false;
    }
    bool known = object->id != 0 && ledger_info(S->ledger, &origin, object->id, info);
    return known && info->live && info->drops == object->drops;
}

/* Raises "closed http.group (closed at app.lua:12)". [-0,+0,v] */
static int raise_closed(lua_State *L, const struct object *object, const struct ledger_info *info)
{
    if (info->closed.file[0] == '\0') {
        return luaL_error(L, "closed %s", type_names[object->kind]);
    }
    return luaL_error(L, "closed %s (closed at %s:%d)", type_names[object->kind], info->closed.file,
                      info->closed.line);
}

struct object *object_test(lua_State *L, int arg, enum node_kind kind)
{
    return luaL_testudata(L, arg, type_names[kind]);
}

struct object *object_check(lua_State *L, int arg, enum node_kind kind)
{
    struct ledger_info info;
    struct object *object = luaL_checkudata(L, arg, type_names[kind]);
    if (!is_open(L, object, &info)) {
        raise_closed(L, object, &info);
    }
    return object;
}

struct ledger_queue object_check_queue(lua_State *L, int arg)
{
    struct ledger_info info;
    struct object *object = luaL_checkudata(L, arg, QUEUE_TYPE);
    if (!is_open(L, object, &info)) {
        raise_closed(L, object, &info);
    }
    return (struct ledger_queue){object->id, (HANDLE)(uintptr_t)info.handle};
}

/* Any of the four kinds. [-0,+0,v] */
static struct object *check_any(lua_State *L, int arg)
{
    for (size_t kind = 0; kind < NODE_KIND_COUNT; kind++) {
        struct object *object =
            type_names[kind] == NULL ? NULL : luaL_testudata(L, arg, type_names[kind]);
        if (object != NULL) {
            return object;
        }
    }
    luaL_typeerror(L, arg, "http object");
    return NULL;
}

/* --- creation ------------------------------------------------------------------------------ */

struct object *object_new(lua_State *L, enum node_kind kind)
{
    struct object *object = lua_newuserdatauv(L, sizeof *object, OBJECT_USER_VALUES);
    memset(object, 0, sizeof *object);
    object->kind = (uint8_t)kind;
    luaL_setmetatable(L, type_names[kind]);
    return object;
}

void object_own(lua_State *L, struct object *object, const struct caller *caller, uint64_t id)
{
    struct ledger_info info;
    assert(object->id == 0 && id != 0);
    object->id = id;
    object->unopened = !caller->origin.loading;
    if (ledger_info(state_of(L)->ledger, &caller->origin, id, &info)) {
        object->drops = info.drops;
    }
}

ULONG object_attach_queue(struct state *S, uint64_t queue)
{
    struct ledger_info info;
    struct ledger_origin origin = origin_of(S);
    if (S->hooks == NULL || S->hooks->on_queue == NULL) {
        return NO_ERROR;
    }
    if (!ledger_info(S->ledger, &origin, queue, &info) || info.handle == 0) {
        return ERROR_INVALID_HANDLE;
    }
    return S->hooks->on_queue(S, queue, (HANDLE)(uintptr_t)info.handle);
}

int object_finish(lua_State *L, struct object *object, const struct caller *caller)
{
    struct state *S = state_of(L);
    struct ledger_error error;
    if (!object->unopened) {
        return 1;
    }
    ULONG code = ledger_open(S->ledger, &caller->origin, object->id, &error);
    if (code == NO_ERROR && object->kind == NODE_QUEUE) {
        code = object_attach_queue(S, object->id);
        error = (struct ledger_error){.call = "loop_attach_queue", .code = code};
    }
    if (code != NO_ERROR) {
        object_end(L, object, caller);
        return object_fail(L, caller, &error);
    }
    object->unopened = false;
    return 1;
}

int object_fail(lua_State *L, const struct caller *caller, const struct ledger_error *error)
{
    bool ours = error->call == NULL;
    if (ours && error->code == ERROR_INVALID_HANDLE) {
        return luaL_error(L, "%s", error->hint);
    }
    if (ours && error->code == ERROR_INVALID_PARAMETER) {
        return luaL_error(L, "%s%s%s", error->object, error->object[0] == '\0' ? "" : ": ",
                          error->hint);
    }
    if (caller->origin.loading || (ours && error->code == ERROR_OPERATION_ABORTED)) {
        return error_raise_ledger(L, error);
    }
    return error_return_ledger(L, error);
}

/* --- the end ------------------------------------------------------------------------------- */

void object_end(lua_State *L, struct object *object, const struct caller *caller)
{
    struct state *S = state_of(L);
    struct ledger_info info;
    if (!is_open(L, object, &info)) {
        if (!object->closed) {
            object->closed = true; /* its parent was closed, or its share: remember where */
            object->closed_at = info.closed;
        }
        return;
    }
    object->closed = true;
    object->unopened = false;
    (void)ledger_close(S->ledger, &caller->origin, object->id); /* traced and logged there */
    if (caller->origin.file != NULL) {
        struct ledger_info after;
        bool known = ledger_info(S->ledger, &caller->origin, object->id, &after);
        bool told = known && after.closed.file[0] != '\0';
        object->closed_at = told ? after.closed : (struct ledger_site){.file = ""};
    }
    if (object->kind == NODE_URL) {
        state_forget_handler(S, object->id);
    } else if (object->kind != NODE_QUEUE) {
        state_sweep_handlers(S);
    }
}

/* object:close(); also __close [-0,+0,-] */
int object_close(lua_State *L)
{
    struct caller caller;
    struct object *object = check_any(L, 1);
    object_caller(L, &caller);
    object_end(L, object, &caller);
    return 0;
}

/* __gc(object) [-0,+0,-] */
int object_gc(lua_State *L)
{
    struct object *object = lua_touserdata(L, 1);
    struct state *S = state_of(L);
    struct caller caller = {.origin = origin_of(S)};
    struct ledger_info info;
    assert(object != NULL);
    if (object->id == 0) {
        return 0;
    }
    bool open = is_open(L, object, &info);
    if (open && object->unopened) {
        object_end(L, object, &caller);
        open = false;
    }
    if (ledger_release(S->ledger, &caller.origin, object->id, !open, &info)) {
        log_write(S->log, LOG_LEVEL_WARN,
                  "%s made at %s:%d was dropped open; the collector closed it",
                  type_names[object->kind], info.made.file, info.made.line);
    }
    object->id = 0;
    return 0;
}

/* --- looking ------------------------------------------------------------------------------- */

/* tostring(object) -> "http.group api (app.lua:3)" [-0,+1,m] */
int object_tostring(lua_State *L)
{
    struct ledger_info info;
    struct object *object = check_any(L, 1);
    const char *type = type_names[object->kind];
    if (is_open(L, object, &info)) {
        lua_pushfstring(L, "%s %s%s(%s:%d)", type, info.name, info.name[0] == '\0' ? "" : " ",
                        info.made.file, info.made.line);
    } else if (info.closed.file[0] != '\0') {
        lua_pushfstring(L, "%s (closed at %s:%d)", type, info.closed.file, info.closed.line);
    } else {
        lua_pushfstring(L, "%s (closed)", type);
    }
    return 1;
}

/* The registered prefixes of a URL. [-0,+1,m] */
static void push_prefixes(lua_State *L, const struct object *object)
{
    char prefix[LEDGER_PREFIX_BYTES_MAX];
    lua_newtable(L);
    for (lua_Integer i = 0; i < LEDGER_REGISTRATIONS_MAX; i++) {
        if (!ledger_url_prefix(state_of(L)->ledger, object->id, (size_t)i, prefix, sizeof prefix)) {
            break;
        }
        lua_pushstring(L, prefix);
        lua_rawseti(L, -2, i + 1);
    }
}

/* Fields that are not properties. Returns whether there is one; then it was pushed. [-0,+(0|1),m]
 */
static bool push_field(lua_State *L, const struct object *object, const char *key,
                       const struct ledger_info *info)
{
    if (strcmp(key, "name") == 0 && object->kind != NODE_URL) {
        if (info->name[0] == '\0') {
            lua_pushnil(L);
        } else {
            lua_pushstring(L, info->name);
        }
    } else if (strcmp(key, "queue") == 0 && object->kind == NODE_GROUP) {
        lua_getiuservalue(L, 1, OBJECT_QUEUE);
    } else if ((strcmp(key, "session") == 0 && object->kind == NODE_GROUP) ||
               (strcmp(key, "group") == 0 && object->kind == NODE_URL)) {
        lua_getiuservalue(L, 1, OBJECT_OWNER);
    } else if (strcmp(key, "path") == 0 && object->kind == NODE_URL) {
        lua_pushstring(L, info->name);
    } else if (strcmp(key, "prefixes") == 0 && object->kind == NODE_URL) {
        push_prefixes(L, object);
    } else {
        return false;
    }
    return true;
}

/* Neither a field nor a method nor a property. */
static int raise_unknown(lua_State *L, const struct object *object, const char *what,
                         const char *key)
{
    static const char *const fields[] = {"name", "queue", "session", "group", "path", "prefixes"};
    char text[64];
    struct ledger_info info;
    struct near near;
    near_init(&near, key, strlen(key));
    property_try_names(&near, property_bit(object->kind), false);
    for (size_t i = 0; is_open(L, object, &info) && i < sizeof fields / sizeof fields[0]; i++) {
        if (push_field(L, object, fields[i], &info)) {
            near_try(&near, fields[i]);
            lua_pop(L, 1);
        }
    }
    (void)snprintf(text, sizeof text, "%s %s", type_names[object->kind], what);
    return error_raise_unknown(L, text, key, &near);
}

/* object.key; upvalue 1: the methods [-0,+1,e] */
int object_index(lua_State *L)
{
    struct ledger_info info;
    struct properties set;
    const struct object *object = check_any(L, 1);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    if (key == NULL) {
        return luaL_error(L, "%s has no field of type %s", type_names[object->kind],
                          luaL_typename(L, 2));
    }
    bool open = is_open(L, object, &info);
    if (strcmp(key, "closed") == 0) {
        lua_pushboolean(L, !open);
        return 1;
    }
    if (!open) {
        return raise_closed(L, object, &info);
    }
    if (push_field(L, object, key, &info)) {
        return 1;
    }
    const struct state *S = state_of(L);
    struct ledger_origin origin = origin_of(S);
    uint32_t on = property_bit(object->kind);
    if (on != 0 && ledger_get(S->ledger, &origin, object->id, &set) == NO_ERROR &&
        property_push(L, on, key, &set)) {
        return 1;
    }
    return raise_unknown(L, object, "has no field", key);
}

/* --- properties ---------------------------------------------------------------------------- */

/* group.queue = queue | nil [-0,+0,v] */
static ULONG assign_queue(lua_State *L, const struct object *group, int index,
                          struct ledger_error *error)
{
    struct caller caller;
    uint64_t queue = 0;
    object_caller(L, &caller);
    if (!lua_isnil(L, index)) {
        queue = object_check(L, index, NODE_QUEUE)->id;
    }
    ULONG code = ledger_bind(state_of(L)->ledger, &caller.origin, group->id, queue, error);
    if (code == NO_ERROR) {
        lua_pushvalue(L, index);
        lua_setiuservalue(L, 1, OBJECT_QUEUE);
    }
    return code;
}

/* object.key = value [-0,+0,v] */
int object_newindex(lua_State *L)
{
    struct ledger_info info;
    struct ledger_error error;
    struct caller caller;
    struct properties change = {0};
    struct object *object = check_any(L, 1);
    const char *key = luaL_checkstring(L, 2);
    ULONG code = NO_ERROR;
    if (!is_open(L, object, &info)) {
        return raise_closed(L, object, &info);
    }
    object_caller(L, &caller);
    uint32_t on = property_bit(object->kind);
    if (object->kind == NODE_GROUP && strcmp(key, "queue") == 0) {
        code = assign_queue(L, object, 3, &error);
    } else if (on != 0 && property_read(L, on, key, 3, &change)) {
        code = ledger_set(state_of(L)->ledger, &caller.origin, object->id, &change, &error);
    } else {
        return raise_unknown(L, object, "has no property", key);
    }
    return code == NO_ERROR ? 0 : error_raise_ledger(L, &error);
}

/* object:set{ key = value ... } -> object | nil, error [-0,+(1|2),v] */
int object_set(lua_State *L)
{
    struct ledger_info info;
    struct ledger_error error;
    struct caller caller;
    struct properties change = {0};
    struct slice name = {NULL, 0};
    struct object *object = check_any(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (!is_open(L, object, &info)) {
        return raise_closed(L, object, &info);
    }
    object_read_options(L, 2, property_bit(object->kind), NULL, &name, &change);
    luaL_argcheck(L, name.len == 0, 2, "a name cannot be changed");
    object_caller(L, &caller);
    if (ledger_set(state_of(L)->ledger, &caller.origin, object->id, &change, &error) != NO_ERROR) {
        return error_return_ledger(L, &error);
    }
    lua_settop(L, 1);
    return 1;
}

static bool is_listed(const char *const *names, const char *key)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Neither a property nor one of `others`. */
static int raise_unknown_option(lua_State *L, uint32_t on, const char *const *others,
                                const char *key)
{
    struct near near;
    near_init(&near, key, strlen(key));
    near_try(&near, "name");
    for (; others != NULL && *others != NULL; others++) {
        near_try(&near, *others);
    }
    property_try_names(&near, on, false);
    return error_raise_unknown(L, "options: there is no", key, &near);
}

void object_read_options(lua_State *L, int index, uint32_t on, const char *const *others,
                         struct slice *name, struct properties *set)
{
    if (lua_isnoneornil(L, index)) {
        return;
    }
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, 8, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (key == NULL) {
            luaL_error(L, "options: a key is a %s, not a name", luaL_typename(L, -2));
        } else if (strcmp(key, "name") == 0) {
            if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) == 0) {
                luaL_error(L, "options: name must be a string that is not empty");
            }
            name->p = lua_tolstring(L, -1, &name->len);
        } else if (!is_listed(others, key) && (on == 0 || !property_read(L, on, key, -1, set))) {
            raise_unknown_option(L, on, others, key);
        }
    }
}

const luaL_Reg object_metamethods[] = {{"__gc", object_gc},
                                       {"__close", object_close},
                                       {"__tostring", object_tostring},
                                       {"__newindex", object_newindex},
                                       {NULL, NULL}};
