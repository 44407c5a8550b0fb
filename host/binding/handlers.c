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
    lua_newtable(L);
    h->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void handlers_deinit(struct handlers *h, lua_State *L)
{
    if (h->ref != LUA_NOREF && h->ref != 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, h->ref);
    }
    memset(h, 0, sizeof *h);
    h->ref = LUA_NOREF;
}

/* Room for entry `index`; the Lua array is on top of the stack. [-0,+0,m] */
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
    lua_rawseti(L, -2, 0); /* the old ones may go from here on */
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
    enum handler_kind kind = router_is(L, index) ? HANDLER_ROUTER : HANDLER_FUNCTION;
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->ref);
    reserve(h, L, index_of(url));
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (lua_Integer)index_of(url) + 1);
    struct handler_entry *entry = &h->entries[index_of(url)];
    h->count += entry->id == 0;
    *entry = (struct handler_entry){url, segments, (uint8_t)kind};
    lua_pop(L, 1);
}

/* Frees an entry. Setting an existing place to nil needs no memory. */
static void forget(struct state *S, struct handler_entry *entry)
{
    lua_State *L = S->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->handlers.ref);
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)index_of(entry->id) + 1);
    lua_pop(L, 1);
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

enum handler_kind state_push_handler(struct state *S, lua_State *co, uint64_t url_context,
                                     uint32_t *segments)
{
    const struct handler_entry *entry = find_entry(&S->handlers, url_context);
    if (entry == NULL) {
        return HANDLER_NONE;
    }
    lua_rawgeti(co, LUA_REGISTRYINDEX, S->handlers.ref);
    lua_rawgeti(co, -1, (lua_Integer)index_of(url_context) + 1);
    lua_replace(co, -2);
    *segments = entry->segments;
    return (enum handler_kind)entry->kind;
}
