#include "binding/property.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/near.h"
#include "binding/error.h"

/* What kind of value a property has. */
enum shape { SHAPE_COUNT, SHAPE_STATE, SHAPE_VERBOSITY };

static const struct row {
    const char *name;
    uint32_t on;
    enum shape shape;
    bool in_timeouts; /* member of the table `timeouts` */
    bool may_be_off;  /* false means no limit */
    uint32_t min, max;
} rows[PROPERTY_COUNT] = {
#define BOTH (PROPERTY_ON_SESSION | PROPERTY_ON_GROUP)
    [PROPERTY_ENTITY_BODY] = {"timeouts.entity_body", BOTH, SHAPE_COUNT, true, true, 1, 65534},
    [PROPERTY_DRAIN_ENTITY_BODY] = {"timeouts.drain_entity_body", BOTH, SHAPE_COUNT, true, true, 1,
                                    65534},
    [PROPERTY_REQUEST_QUEUE] = {"timeouts.request_queue", BOTH, SHAPE_COUNT, true, true, 1, 65534},
    [PROPERTY_IDLE_CONNECTION] = {"timeouts.idle_connection", BOTH, SHAPE_COUNT, true, true, 1,
                                  65534},
    [PROPERTY_HEADER_WAIT] = {"timeouts.header_wait", BOTH, SHAPE_COUNT, true, true, 1, 65534},
    [PROPERTY_MIN_SEND_RATE] = {"timeouts.min_send_rate", BOTH, SHAPE_COUNT, true, true, 1,
                                UINT32_MAX - 2},
    [PROPERTY_STATE] = {"state", BOTH | PROPERTY_ON_QUEUE, SHAPE_STATE, false, false, 0, 1},
    [PROPERTY_BANDWIDTH] = {"bandwidth", BOTH, SHAPE_COUNT, false, true, 1024, UINT32_MAX - 2},
    [PROPERTY_CONNECTION_LIMIT] = {"connection_limit", PROPERTY_ON_GROUP, SHAPE_COUNT, false, true,
                                   1, UINT32_MAX - 2},
    [PROPERTY_LENGTH] = {"length", PROPERTY_ON_QUEUE, SHAPE_COUNT, false, false, 1, INT32_MAX},
    [PROPERTY_VERBOSITY] = {"verbosity", PROPERTY_ON_QUEUE, SHAPE_VERBOSITY, false, false, 0, 2},
#undef BOTH
};

/* Options of luaL_checkoption, in the order of the contract's values. */
static const char *const state_names[] = {"active", "inactive", NULL};
static const char *const verbosity_names[] = {"basic", "limited", "full", NULL};

#define TIMEOUTS             "timeouts"
#define TIMEOUT_PREFIX_BYTES (sizeof TIMEOUTS) /* the dot stands where the NUL does */

const char *property_name(enum property_id id)
{
    return id < PROPERTY_COUNT ? rows[id].name : "property";
}

/* --- sets ---------------------------------------------------------------------------------- */

static bool has(const struct properties *set, enum property_id id)
{
    return (set->present >> id & 1u) != 0;
}

static void put(struct properties *set, enum property_id id, uint32_t value)
{
    set->present |= 1u << id;
    set->value[id] = value;
}

void properties_merge(struct properties *set, const struct properties *change)
{
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        if (!has(change, id)) {
            continue;
        }
        if (change->value[id] == PROPERTY_UNSET) {
            set->present &= ~(1u << id);
            set->value[id] = 0;
        } else {
            put(set, id, change->value[id]);
        }
    }
}

/* Whether the two say the same about one property. */
static bool agree(const struct properties *a, const struct properties *b, enum property_id id)
{
    bool in_a = has(a, id) && a->value[id] != PROPERTY_UNSET;
    bool in_b = has(b, id) && b->value[id] != PROPERTY_UNSET;
    return in_a == in_b && (!in_a || a->value[id] == b->value[id]);
}

bool properties_equal(const struct properties *a, const struct properties *b)
{
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        if (!agree(a, b, id)) {
            return false;
        }
    }
    return true;
}

/* --- contract calls ------------------------------------------------------------------------ */

/* What the contract is given: the value, `none` for "no limit", `unset` for "not set here". */
static uint32_t wire(const struct properties *set, enum property_id id, uint32_t none,
                     uint32_t unset)
{
    if (!has(set, id) || set->value[id] == PROPERTY_UNSET) {
        return unset;
    }
    return set->value[id] == PROPERTY_NO_LIMIT ? none : set->value[id];
}

/* Sets a property of a session or a group. */
static ULONG set_structure(const struct contract *c, const struct property_target *target,
                           HTTP_SERVER_PROPERTY property, void *value, ULONG bytes,
                           const char **call)
{
    if (target->on == PROPERTY_ON_SESSION) {
        *call = "HttpSetServerSessionProperty";
        return contract_set_session(c, target->label, target->session, property, value, bytes);
    }
    assert(target->on == PROPERTY_ON_GROUP);
    *call = "HttpSetUrlGroupProperty";
    return contract_set_group(c, target->label, target->group, property, value, bytes);
}

/* Sets a property of a queue: a bare integer. */
static ULONG set_integer(const struct contract *c, const struct property_target *target,
                         HTTP_SERVER_PROPERTY property, ULONG value, const char **call)
{
    *call = "HttpSetRequestQueueProperty";
    return contract_set_queue(c, target->label, target->queue, property, &value, sizeof value);
}

static ULONG apply_timeouts(const struct contract *c, const struct property_target *target,
                            const struct properties *after, const char **call)
{
    /* Zero members inherit, and so does the whole structure when none is set. */
    HTTP_TIMEOUT_LIMIT_INFO info = {
        .EntityBody = (USHORT)wire(after, PROPERTY_ENTITY_BODY, MAXUSHORT, 0),
        .DrainEntityBody = (USHORT)wire(after, PROPERTY_DRAIN_ENTITY_BODY, MAXUSHORT, 0),
        .RequestQueue = (USHORT)wire(after, PROPERTY_REQUEST_QUEUE, MAXUSHORT, 0),
        .IdleConnection = (USHORT)wire(after, PROPERTY_IDLE_CONNECTION, MAXUSHORT, 0),
        .HeaderWait = (USHORT)wire(after, PROPERTY_HEADER_WAIT, MAXUSHORT, 0),
        .MinSendRate = wire(after, PROPERTY_MIN_SEND_RATE, MAXULONG, 0),
    };
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        if (rows[id].in_timeouts && has(after, id) && after->value[id] != PROPERTY_UNSET) {
            info.Flags.Present = 1;
        }
    }
    return set_structure(c, target, HttpServerTimeoutsProperty, &info, sizeof info, call);
}

static ULONG apply_state(const struct contract *c, const struct property_target *target,
                         const struct properties *after, const char **call)
{
    uint32_t state = wire(after, PROPERTY_STATE, 0, HttpEnabledStateActive);
    if (target->on == PROPERTY_ON_QUEUE) {
        return set_integer(c, target, HttpServerStateProperty, state, call);
    }
    HTTP_STATE_INFO info = {.State = (HTTP_ENABLED_STATE)state};
    info.Flags.Present = has(after, PROPERTY_STATE) & 1u;
    return set_structure(c, target, HttpServerStateProperty, &info, sizeof info, call);
}

static ULONG apply_limit(const struct contract *c, const struct property_target *target,
                         const struct properties *after, enum property_id id, const char **call)
{
    HTTP_BANDWIDTH_LIMIT_INFO bandwidth = {.MaxBandwidth = HTTP_LIMIT_INFINITE};
    HTTP_CONNECTION_LIMIT_INFO connections = {.MaxConnections = HTTP_LIMIT_INFINITE};
    HTTP_QOS_SETTING_INFO info = {0};
    uint32_t value = wire(after, id, HTTP_LIMIT_INFINITE, HTTP_LIMIT_INFINITE);
    if (id == PROPERTY_BANDWIDTH) {
        bandwidth.Flags.Present = 1;
        bandwidth.MaxBandwidth = value;
        info.QosType = HttpQosSettingTypeBandwidth;
        info.QosSetting = &bandwidth;
    } else {
        connections.Flags.Present = 1;
        connections.MaxConnections = value;
        info.QosType = HttpQosSettingTypeConnectionLimit;
        info.QosSetting = &connections;
    }
    return set_structure(c, target, HttpServerQosProperty, &info, sizeof info, call);
}

/* One contract call for the property; the timeouts are one property of the contract. */
static ULONG apply_one(const struct contract *c, const struct property_target *target,
                       const struct properties *after, enum property_id id, const char **call)
{
    switch (id) {
    case PROPERTY_STATE: return apply_state(c, target, after, call);
    case PROPERTY_BANDWIDTH:
    case PROPERTY_CONNECTION_LIMIT: return apply_limit(c, target, after, id, call);
    case PROPERTY_LENGTH:
        return set_integer(c, target, HttpServerQueueLengthProperty,
                           wire(after, id, 1000, 1000 /* the default */), call);
    case PROPERTY_VERBOSITY:
        return set_integer(c, target, HttpServer503VerbosityProperty,
                           wire(after, id, 0, Http503ResponseVerbosityBasic), call);
    default: return apply_timeouts(c, target, after, call);
    }
}

ULONG properties_apply(const struct contract *contract, const struct property_target *target,
                       const struct properties *before, const struct properties *after,
                       const char **call, enum property_id *failed)
{
    bool timeouts_done = false;
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        if (agree(before, after, id) || (rows[id].in_timeouts && timeouts_done)) {
            continue;
        }
        assert((rows[id].on & target->on) != 0);
        timeouts_done = timeouts_done || rows[id].in_timeouts;
        ULONG code = apply_one(contract, target, after, id, call);
        if (code != NO_ERROR) {
            *failed = id;
            return code;
        }
    }
    return NO_ERROR;
}

void properties_take_before(struct properties *set, const struct properties *after,
                            enum property_id failed)
{
    /* The timeouts are one call, the first. */
    enum property_id end = rows[failed].in_timeouts ? 0 : failed;
    assert(failed < PROPERTY_COUNT);
    for (enum property_id id = 0; id < end; id++) {
        set->present = (set->present & ~(1u << id)) | (after->present & 1u << id);
        set->value[id] = after->value[id];
    }
}

/* --- Lua ----------------------------------------------------------------------------------- */

/* The row of a name; member: the name is a key of the table `timeouts`. PROPERTY_COUNT: none. */
static enum property_id find_row(uint32_t on, const char *name, bool member)
{
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        const char *row = rows[id].name;
        if (rows[id].in_timeouts == member && (rows[id].on & on) != 0 &&
            strcmp(member ? row + TIMEOUT_PREFIX_BYTES : row, name) == 0) {
            return id;
        }
    }
    return PROPERTY_COUNT;
}

/* A name out of a list; the value is its place. [-0,+0,v] */
static uint32_t read_name(lua_State *L, enum property_id id, int index, const char *const *names)
{
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
    for (uint32_t i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    luaL_error(L, "%s: expected \"%s\" or \"%s\"%s", rows[id].name, names[0], names[1],
               names[2] == NULL ? "" : " or \"full\"");
    return 0;
}

/* A whole number within the bounds of the row. [-0,+0,v] */
static uint32_t read_count(lua_State *L, enum property_id id, int index)
{
    const struct row *row = &rows[id];
    int exact = 0;
    if (row->may_be_off && lua_isboolean(L, index) && !lua_toboolean(L, index)) {
        return PROPERTY_NO_LIMIT;
    }
    lua_Integer value = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0;
    if (!exact || value < (lua_Integer)row->min || value > (lua_Integer)row->max) {
        luaL_error(L, "%s: expected a whole number from %I to %I%s", row->name,
                   (LUAI_UACINT)row->min, (LUAI_UACINT)row->max,
                   row->may_be_off ? ", or false for no limit" : "");
    }
    return (uint32_t)value;
}

static void read_one(lua_State *L, enum property_id id, int index, struct properties *set)
{
    if (lua_isnil(L, index)) {
        put(set, id, PROPERTY_UNSET);
        return;
    }
    switch (rows[id].shape) {
    case SHAPE_STATE: put(set, id, read_name(L, id, index, state_names)); break;
    case SHAPE_VERBOSITY: put(set, id, read_name(L, id, index, verbosity_names)); break;
    default: put(set, id, read_count(L, id, index)); break;
    }
}

/* The table `timeouts`; nil takes every one of them back. [-0,+0,v] */
static void read_timeouts(lua_State *L, uint32_t on, int index, struct properties *set)
{
    if (lua_isnil(L, index)) {
        for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
            if (rows[id].in_timeouts) {
                put(set, id, PROPERTY_UNSET);
            }
        }
        return;
    }
    if (!lua_istable(L, index)) {
        luaL_error(L, "timeouts: expected a table, got %s", luaL_typename(L, index));
    }
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        enum property_id id = find_row(on, name, true);
        if (id == PROPERTY_COUNT) {
            struct near near;
            near_init(&near, name, strlen(name));
            property_try_names(&near, on, true);
            error_raise_unknown(L, "timeouts: there is no", name, &near);
        }
        read_one(L, id, lua_gettop(L), set);
    }
}

void property_try_names(struct near *near, uint32_t on, bool members)
{
    for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
        if (rows[id].in_timeouts == members && (rows[id].on & on) != 0) {
            near_try(near, members ? rows[id].name + TIMEOUT_PREFIX_BYTES : rows[id].name);
        }
    }
    if (!members && (on & (PROPERTY_ON_SESSION | PROPERTY_ON_GROUP)) != 0) {
        near_try(near, TIMEOUTS);
    }
}

bool property_read(lua_State *L, uint32_t on, const char *name, int index, struct properties *set)
{
    index = lua_absindex(L, index);
    if (strcmp(name, TIMEOUTS) == 0 && (on & (PROPERTY_ON_SESSION | PROPERTY_ON_GROUP)) != 0) {
        read_timeouts(L, on, index, set);
        return true;
    }
    enum property_id id = find_row(on, name, false);
    if (id == PROPERTY_COUNT) {
        return false;
    }
    read_one(L, id, index, set);
    return true;
}

static void push_one(lua_State *L, enum property_id id, const struct properties *set)
{
    if (!has(set, id) || set->value[id] == PROPERTY_UNSET) {
        lua_pushnil(L);
    } else if (rows[id].shape == SHAPE_STATE) {
        lua_pushstring(L, state_names[set->value[id]]);
    } else if (rows[id].shape == SHAPE_VERBOSITY) {
        lua_pushstring(L, verbosity_names[set->value[id]]);
    } else if (set->value[id] == PROPERTY_NO_LIMIT) {
        lua_pushboolean(L, false);
    } else {
        lua_pushinteger(L, set->value[id]);
    }
}

bool property_push(lua_State *L, uint32_t on, const char *name, const struct properties *set)
{
    if (strcmp(name, TIMEOUTS) == 0 && (on & (PROPERTY_ON_SESSION | PROPERTY_ON_GROUP)) != 0) {
        lua_createtable(L, 0, 6);
        for (enum property_id id = 0; id < PROPERTY_COUNT; id++) {
            if (rows[id].in_timeouts) {
                push_one(L, id, set);
                lua_setfield(L, -2, rows[id].name + TIMEOUT_PREFIX_BYTES);
            }
        }
        return true;
    }
    enum property_id id = find_row(on, name, false);
    if (id == PROPERTY_COUNT) {
        return false;
    }
    push_one(L, id, set);
    return true;
}
