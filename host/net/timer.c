#include "net/timer.h"

#include <assert.h>

enum { RING_MASK = TIMER_RING_SLOTS - 1 };

static const uint64_t tick_ns = (uint64_t)LOOP_TICK_MS * 1000000u;

static void init_head(struct loop_timer *head)
{
    head->_prev = head->_next = head;
}

static bool is_head_empty(const struct loop_timer *head)
{
    return head->_next == head;
}

static void push_back(struct loop_timer *head, struct loop_timer *timer)
{
    timer->_prev = head->_prev;
    timer->_next = head;
    head->_prev->_next = timer;
    head->_prev = timer;
}

/* Takes the timer out of whatever slot it is in, and keeps the bit mask right. */
static void unlink_timer(struct timer_wheel *w, struct loop_timer *timer)
{
    assert(timer->_prev != NULL && timer->_next != NULL);
    struct loop_timer *head = timer->_next;
    bool was_alone = timer->_prev == head;
    timer->_prev->_next = timer->_next;
    timer->_next->_prev = timer->_prev;
    timer->_prev = timer->_next = NULL;
    if (was_alone) {
        size_t slot = (size_t)(head - w->slots);
        assert(slot <= TIMER_FIRING);
        w->used[slot / TIMER_RING_SLOTS] &= ~((uint64_t)1 << (slot & RING_MASK));
    }
}

/* Puts the timer where its due tick belongs as seen from w->tick. */
static void link_timer(struct timer_wheel *w, struct loop_timer *timer)
{
    assert(timer->_due_tick > w->tick);
    uint64_t difference = timer->_due_tick ^ w->tick;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(difference);
    unsigned ring = top_bit / TIMER_RING_BITS;
    assert(ring < TIMER_RING_COUNT);
    unsigned slot = (unsigned)(timer->_due_tick >> (ring * TIMER_RING_BITS)) & RING_MASK;
    push_back(&w->slots[ring * TIMER_RING_SLOTS + slot], timer);
    w->used[ring] |= (uint64_t)1 << slot;
}

/* Moves a slot's list to the firing slot, so that nobody walks a list that callbacks change. */
static void take_slot(struct timer_wheel *w, unsigned ring, unsigned slot)
{
    struct loop_timer *from = &w->slots[ring * TIMER_RING_SLOTS + slot];
    struct loop_timer *to = &w->slots[TIMER_FIRING];
    assert(is_head_empty(to));
    w->used[ring] &= ~((uint64_t)1 << slot);
    if (!is_head_empty(from)) {
        to->_next = from->_next;
        to->_prev = from->_prev;
        to->_next->_prev = to;
        to->_prev->_next = to;
        init_head(from);
    }
}

/* The first tick after w->tick at which a slot is due; UINT64_MAX: none. Everything in a ring is
 * due before anything in the ring above, and within a ring in order of slots. */
static uint64_t next_tick(const struct timer_wheel *w)
{
    for (unsigned ring = 0; ring < TIMER_RING_COUNT; ring++) {
        if (w->used[ring] != 0) {
            unsigned shift = ring * TIMER_RING_BITS;
            uint64_t slot = (uint64_t)__builtin_ctzll(w->used[ring]);
            uint64_t round = w->tick >> (shift + TIMER_RING_BITS) << (shift + TIMER_RING_BITS);
            return round + (slot << shift);
        }
    }
    return UINT64_MAX;
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns)
{
    *w = (struct timer_wheel){.base_ns = now_ns};
    for (size_t i = 0; i <= TIMER_SLOT_COUNT; i++) {
        init_head(&w->slots[i]);
    }
}

void timer_wheel_start(struct timer_wheel *w, struct loop_timer *timer, uint64_t now_ns,
                       uint64_t delay_ns)
{
    assert(timer->on_fire != NULL && now_ns >= w->base_ns);
    timer_wheel_stop(w, timer);
    uint64_t since_ns = now_ns - w->base_ns;
    uint64_t now_tick = since_ns / tick_ns;
    uint64_t ticks = delay_ns / tick_ns;
    /* Both remainders together round up to whole ticks: late by less than one, never early. */
    uint64_t rest_ns = since_ns % tick_ns + delay_ns % tick_ns;
    ticks += (rest_ns + tick_ns - 1) / tick_ns;
    ticks = ticks < TIMER_DELAY_TICKS_MAX ? ticks : TIMER_DELAY_TICKS_MAX;
    /* Past the present tick, so that a timer that starts itself again cannot hold up an advance. */
    timer->_due_tick = now_tick + (ticks > 0 ? ticks : 1);
    if (timer->_due_tick <= w->tick) {
        timer->_due_tick = w->tick + 1;
    }
    link_timer(w, timer);
    w->count++;
}

void timer_wheel_stop(struct timer_wheel *w, struct loop_timer *timer)
{
    if (timer->_next == NULL) {
        return;
    }
    assert(w->count > 0);
    unlink_timer(w, timer);
    w->count--;
}

/* Calls what lies in the firing slot; a callback may stop timers that are still in it. */
static void fire_taken(struct timer_wheel *w)
{
    struct loop_timer *head = &w->slots[TIMER_FIRING];
    while (!is_head_empty(head)) {
        struct loop_timer *timer = head->_next;
        assert(timer->_due_tick == w->tick);
        timer_wheel_stop(w, timer);
        timer->on_fire(timer);
    }
}

/* Moves the timers of a higher ring's slot, which w->tick has just entered, down. Those due at this
 * very tick go to the slot of ring 0 that is about to be fired. */
static void move_down(struct timer_wheel *w, unsigned ring)
{
    unsigned slot = (unsigned)(w->tick >> (ring * TIMER_RING_BITS)) & RING_MASK;
    if ((w->used[ring] >> slot & 1) == 0) {
        return;
    }
    take_slot(w, ring, slot);
    struct loop_timer *head = &w->slots[TIMER_FIRING];
    while (!is_head_empty(head)) {
        struct loop_timer *timer = head->_next;
        unlink_timer(w, timer);
        if (timer->_due_tick == w->tick) {
            unsigned now_slot = (unsigned)w->tick & RING_MASK;
            push_back(&w->slots[now_slot], timer);
            w->used[0] |= (uint64_t)1 << now_slot;
        } else {
            link_timer(w, timer);
        }
    }
}

void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ns)
{
    assert(now_ns >= w->base_ns);
    uint64_t now_tick = (now_ns - w->base_ns) / tick_ns;
    for (;;) {
        uint64_t tick = next_tick(w);
        if (tick > now_tick) {
            break;
        }
        assert(tick > w->tick);
        w->tick = tick;
        for (unsigned ring = TIMER_RING_COUNT - 1; ring > 0; ring--) {
            if ((tick & (((uint64_t)1 << (ring * TIMER_RING_BITS)) - 1)) == 0) {
                move_down(w, ring);
            }
        }
        take_slot(w, 0, (unsigned)tick & RING_MASK);
        fire_taken(w);
    }
    if (now_tick > w->tick) {
        w->tick = now_tick;
    }
}

uint64_t timer_wheel_next_due(const struct timer_wheel *w)
{
    uint64_t tick = next_tick(w);
    return tick == UINT64_MAX ? UINT64_MAX : w->base_ns + tick * tick_ns;
}

void timer_wheel_drop_all(struct timer_wheel *w)
{
    for (size_t i = 0; i < TIMER_SLOT_COUNT; i++) {
        while (!is_head_empty(&w->slots[i])) {
            timer_wheel_stop(w, w->slots[i]._next);
        }
    }
    assert(w->count == 0);
}
