/* Without a signal that interrupts a thread in place, a count hook stays armed: it looks at the
 * clock every HOOK_COUNT instructions, and asks guard_hook once a resume has lasted a look. */
#include "runtime/guard.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "binding/state.h"
#include "runtime/generation.h"
#include "runtime/host.h"

enum { HOOK_COUNT = 10000 };

struct guard_slot {
    struct guard *guard;
    struct state *state; /* NULL: free; guarded by the guard's lock, read by its worker */
    uint64_t turn;       /* of the resume the hook saw last; the worker's */
    uint64_t seen_ns;    /* when it saw it first; the worker's */
};

struct guard {
    struct host_limits limits;
    SRWLOCK lock; /* slots being taken and freed */
    size_t slot_count;
    struct guard_slot slots[];
};

const struct host_limits *guard_limits(const struct guard_slot *slot)
{
    return &slot->guard->limits;
}

uint64_t guard_seen_ns(const struct guard_slot *slot)
{
    return slot->seen_ns;
}

uint64_t guard_used_ns(const struct guard_slot *slot)
{
    return slot->seen_ns == 0 ? 0 : clock_mono_ns() - slot->seen_ns;
}

void guard_answer(struct guard_slot *slot)
{
    (void)slot; /* nobody waits for it */
}

static void look(lua_State *L, lua_Debug *ar)
{
    struct state *S = state_of(L);
    struct member *member = S->host;
    struct guard_slot *slot = member == NULL ? NULL : member->guard;
    if (slot == NULL) {
        return;
    }
    uint64_t turn = atomic_load_explicit(&S->watch.turn, memory_order_relaxed);
    uint64_t now_ns = clock_mono_ns();
    if (turn != slot->turn) {
        slot->turn = turn;
        slot->seen_ns = now_ns;
    } else if (now_ns - slot->seen_ns >= GUARD_LOOK_MS * UINT64_C(1000000)) {
        guard_hook(L, ar);
    }
}

void guard_rest(lua_State *L)
{
    lua_sethook(L, look, LUA_MASKCOUNT, HOOK_COUNT);
}

ULONG guard_create(size_t slots, const struct host_limits *limits, struct guard **out)
{
    *out = NULL;
    struct guard *guard = calloc(1, sizeof *guard + slots * sizeof guard->slots[0]);
    if (guard == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    guard->limits = *limits;
    guard->slot_count = slots;
    InitializeSRWLock(&guard->lock);
    for (size_t i = 0; i < slots; i++) {
        guard->slots[i].guard = guard;
    }
    *out = guard;
    return NO_ERROR;
}

void guard_destroy(struct guard *guard)
{
    if (guard == NULL) {
        return;
    }
    for (size_t i = 0; i < guard->slot_count; i++) {
        assert(guard->slots[i].state == NULL);
    }
    free(guard);
}

struct guard_slot *guard_attach(struct guard *guard, struct state *S)
{
    struct guard_slot *slot = NULL;
    AcquireSRWLockExclusive(&guard->lock);
    for (size_t i = 0; slot == NULL && i < guard->slot_count; i++) {
        if (guard->slots[i].state == NULL) {
            slot = &guard->slots[i];
            slot->state = S;
            slot->turn = 0;
            slot->seen_ns = 0;
        }
    }
    ReleaseSRWLockExclusive(&guard->lock);
    return slot;
}

void guard_detach(struct guard_slot *slot)
{
    AcquireSRWLockExclusive(&slot->guard->lock);
    assert(slot->state != NULL);
    slot->state = NULL;
    ReleaseSRWLockExclusive(&slot->guard->lock);
}

void guard_wake(struct guard_slot *slot)
{
    (void)slot; /* nobody sleeps */
}
