/* Timers that cost nothing while they run: a hierarchical wheel.
 *
 * Seven rings of 64 slots; a ring's slot is 64 times as long as one of the ring below, the lowest
 * is one tick (LOOP_TICK_MS).
 *
 *   ring 0   | | | |x| ...   due within the current 64 ticks, one slot a tick
 *   ring 1   | |xx| | ...    due within the current 64 * 64 ticks, one slot for 64 ticks
 *   ...                      when the clock enters a slot of ring n, its timers move down
 *
 * A timer's ring is the highest group of six bits in which its due tick and the present tick
 * differ, so a slot never holds timers of two rounds. One bit mask a ring says which slots are in
 * use: skipping a long sleep and asking for the next due tick look at seven words, whatever the
 * number of timers. Start and stop are O(1); a timer moves down at most six times.
 *
 * Owner: the wheel is the loop's, timers are the caller's. Thread: the loop's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/loop.h"

enum {
    TIMER_RING_COUNT = 7,
    TIMER_RING_BITS = 6,
    TIMER_RING_SLOTS = 1 << TIMER_RING_BITS,
    TIMER_SLOT_COUNT = TIMER_RING_COUNT * TIMER_RING_SLOTS,
    TIMER_FIRING = TIMER_SLOT_COUNT /* index of the extra slot for timers being fired */
};

/* A longer delay is cut to this: 2^41 ticks, 278 years. */
#define TIMER_DELAY_TICKS_MAX ((uint64_t)1 << (TIMER_RING_COUNT * TIMER_RING_BITS - 1))

struct timer_wheel {
    uint64_t base_ns;                              /* time of tick 0 */
    uint64_t tick;                                 /* every tick up to this one has been fired */
    size_t count;                                  /* timers running */
    uint64_t used[TIMER_RING_COUNT + 1];           /* bit i: slot i of the ring holds timers */
    struct loop_timer slots[TIMER_SLOT_COUNT + 1]; /* list heads; only the links are used */
};

/* now_ns: becomes tick 0. */
void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns);

/* Starts the timer, or starts it again. Fires in the first timer_wheel_advance whose time is at
 * least now_ns + delay_ns, rounded up to a tick; never inside the advance that is running now. */
void timer_wheel_start(struct timer_wheel *w, struct loop_timer *timer, uint64_t now_ns,
                       uint64_t delay_ns);

/* Harmless when the timer is not running. */
void timer_wheel_stop(struct timer_wheel *w, struct loop_timer *timer);

/* Fires what is due at now_ns. Each timer is stopped before its on_fire is called, which may start
 * and stop every timer. */
void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ns);

/* When the wheel wants to be advanced next, in nanoseconds of its clock; UINT64_MAX when no timer
 * runs. Never later than the first timer's due time; it may be earlier (timers moving down), seldom
 * more than twice for a timer. */
uint64_t timer_wheel_next_due(const struct timer_wheel *w);

/* Stops every timer without calling it. */
void timer_wheel_drop_all(struct timer_wheel *w);
