#include "binding/handlers.h"

#include <assert.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "binding/ledger.h"
#include "binding/router.h"
#include "binding/state.h"

enum { HANDLERS_CAP_MIN = 16 };

static uint32_t index_of(uint64_t url)
{
    return (uint32_t)url;
}

void handlers_init(struct handlers *h, lua_State *L)
{
    memset(h, 0, sizeof *h);
    h->ref = LUA_NOREF;
    lua_pushboolean(L, false); /* the place is there before the first handler */
    h->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void handlers_deinit(struct handlers *h, lua_State *L)
{
    for (uint32_t i = 0; i < h->cap; i++) {
        if (h->entries[i].id != 0) {
            luaL_unref(L, LUA_REGISTRYINDEX, h->entries[i].ref);
        }
    }
    if (h->ref != LUA_NOREF && h->ref != 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, h->ref);
    }
    memset(h, 0, sizeof *h);
    h->ref = LUA_NOREF;
}

bool handlers_is_bare(lua_State *L, int index)
{
    lua_Debug ar;
    if (!lua_isfunction(L, index) || lua_iscfunction(L, index)) {
        return false;
    }
    lua_pushvalue(L, index);
    return lua_getinfo(L, ">u", &ar) != 0 && ar.nparams == 0 && ar.isvararg == 0;
}

/* Room for entry `index`. [-0,+0,m] */
static void reserve(struct handlers *h, lua_State *L, uint32_t index)
{
    uint32_t cap = h->cap == 0 ? HANDLERS_CAP_MIN : h->cap;
    if (index < h->cap) {
        return;
    }
    while (cap <= index) {
        assert(cap <= UINT32_MAX / 2);
        cap *= 2;
    }
    struct handler_entry *entries = lua_newuserdatauv(L, cap * sizeof *entries, 0);
    memset(entries, 0, cap * sizeof *entries);
    if (h->cap > 0) {
        memcpy(entries, h->entries, h->cap * sizeof *entries);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, h->ref); /* the old ones may go from here on */
    h->entries = entries;
    h->cap = cap;
}

static struct handler_entry *find_entry(const struct handlers *h, uint64_t url)
{
    uint32_t index = index_of(url);
    return index < h->cap && url != 0 && h->entries[index].id == url ? &h->entries[index] : NULL;
}

void state_set_handler(struct state *S, uint64_t url, lua_State *L, int index, uint32_t segments)
{
    struct handlers *h = &S->handlers;
    assert(url != 0 && h->ref != LUA_NOREF);
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, "handlers");
    enum handler_kind kind = router_is(L, index) ? HANDLER_ROUTER : HANDLER_FUNCTION;
    bool bare = handlers_is_bare(L, index);
    reserve(h, L, index_of(url));
    struct handler_entry *entry = &h->entries[index_of(url)];
    lua_pushvalue(L, index);
    if (entry->id == 0) {
        int ref = luaL_ref(L, LUA_REGISTRYINDEX);
        entry = &h->entries[index_of(url)]; /* a finalizer may have made room for others */
        entry->ref = ref;
        h->count++;
    } else {
        lua_rawseti(L, LUA_REGISTRYINDEX, entry->ref);
    }
    *entry = (struct handler_entry){url, segments, (uint8_t)kind, bare, entry->ref};
}

/* Frees an entry; needs no memory. */
static void forget(struct state *S, struct handler_entry *entry)
{
    luaL_unref(S->L, LUA_REGISTRYINDEX, entry->ref);
    memset(entry, 0, sizeof *entry);
    assert(S->handlers.count > 0);
    S->handlers.count--;
}

void state_forget_handler(struct state *S, uint64_t url)
{
    struct handler_entry *entry = find_entry(&S->handlers, url);
    if (entry != NULL) {
        forget(S, entry);
    }
}

bool state_has_handler(const struct state *S, uint64_t url)
{
    return find_entry(&S->handlers, url) != NULL;
}

void state_sweep_handlers(struct state *S)
{
    struct ledger_origin origin = {.generation = S->generation, .worker = S->worker};
    for (uint32_t i = 0; i < S->handlers.cap; i++) {
        struct handler_entry *entry = &S->handlers.entries[i];
        struct ledger_info info;
        if (entry->id != 0 && (!ledger_info(S->ledger, &origin, entry->id, &info) || !info.live)) {
            forget(S, entry);
        }
    }
}

const struct handler_entry *state_push_handler(struct state *S, lua_State *co, uint64_t url_context)
{
    const struct handler_entry *entry = find_entry(&S->handlers, url_context);
    if (entry != NULL) {
        lua_rawgeti(co, LUA_REGISTRYINDEX, entry->ref);
    }
    return entry;
}
