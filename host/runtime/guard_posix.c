/* The watchdog thread, and the realtime signal that carries its word to a worker.
 *
 * A slot's memory lives as long as the guard, so a signal that arrives late finds at worst a slot
 * without a state, or one of another thread, and does nothing. */
#include "runtime/guard.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "binding/state.h"
#include "runtime/barrier.h"
#include "runtime/host.h"

enum {
    WATCHDOG_STACK_BYTES = 64 * 1024,
    LONG_LOOK_MS = 1000, /* instead of sleeping for good where there is no process-wide barrier */
    ASK_AGAIN_LOOKS = 10 /* a hook that has not run after so many looks is asked for again */
};

struct guard_slot {
    struct guard *guard;
    _Atomic(struct state *)
        state;        /* NULL: free. Set and cleared on the worker, under the guard's lock */
    pthread_t thread; /* the worker; set before state */
    _Atomic uint64_t suspect; /* turn of the resume that was signalled */
    _Atomic uint64_t seen_ns; /* when `turn` was first seen */
    _Atomic uint64_t used_ns; /* processor time of the thread at that moment */
    _Atomic uint64_t turn;    /* as of the last look */
    clockid_t clock;          /* of the thread's processor time; set before state */
    _Atomic bool asked; /* signalled, and the hook has not run yet: a blocking C function is not to
                           be interrupted again and again */
    unsigned asked_looks; /* the watchdog's: looks since then */
};

struct guard {
    struct host_limits limits;
    pthread_mutex_t lock; /* slots being taken and freed, started, quit; held during a look */
    pthread_cond_t wake;
    pthread_t thread;
    bool started;
    bool quit;
    bool has_barrier;
    _Atomic bool parked; /* read by every resume */
    int signal_number;
    struct sigaction before; /* what the signal did before */
    size_t slot_count;
    struct guard_slot slots[];
};

const struct host_limits *guard_limits(const struct guard_slot *slot)
{
    return &slot->guard->limits;
}

uint64_t guard_seen_ns(const struct guard_slot *slot)
{
    struct state *S = atomic_load_explicit(&slot->state, memory_order_relaxed);
    uint64_t turn = S == NULL ? 0 : atomic_load_explicit(&S->watch.turn, memory_order_relaxed);
    bool same = turn == atomic_load_explicit(&slot->turn, memory_order_relaxed);
    return same ? atomic_load_explicit(&slot->seen_ns, memory_order_relaxed) : 0;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* 0 where there is none: nothing is counted then */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t guard_used_ns(const struct guard_slot *slot)
{
    uint64_t before_ns = atomic_load_explicit(&slot->used_ns, memory_order_relaxed);
    uint64_t now_ns = read_clock(slot->clock);
    return guard_seen_ns(slot) == 0 || now_ns < before_ns ? 0 : now_ns - before_ns;
}

void guard_rest(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
}

void guard_answer(struct guard_slot *slot)
{
    atomic_store(&slot->asked, false);
}

/* On the worker, between any two of its instructions: arms the hook if it is still in the resume
 * that was meant. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)number;
    (void)context;
    if (info->si_code == SI_QUEUE && info->si_pid == getpid()) {
        struct guard_slot *slot = info->si_value.sival_ptr;
        struct state *S = atomic_load(&slot->state);
        bool armed = false;
        if (S != NULL && pthread_equal(slot->thread, pthread_self()) &&
            atomic_load_explicit(&S->watch.turn, memory_order_relaxed) ==
                atomic_load(&slot->suspect)) {
            lua_State *co = atomic_load_explicit(&S->watch.running, memory_order_relaxed);
            if (co != NULL) {
                lua_sethook(co, guard_hook, LUA_MASKCOUNT, 1);
                armed = true;
            }
        }
        if (!armed) {
            guard_answer(slot);
        }
    }
    errno = saved;
}

/* One look at one slot. true: the worker has been inside a resume since the look before, or has
 * begun another one. */
static bool look_at(struct guard *guard, struct guard_slot *slot, uint64_t now_ns)
{
    struct state *S = atomic_load(&slot->state);
    if (S == NULL) {
        return false;
    }
    uint64_t turn = atomic_load_explicit(&S->watch.turn, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    bool inside = (turn & 1) != 0;
    if (turn != before) {
        atomic_store_explicit(&slot->seen_ns, now_ns, memory_order_relaxed);
        atomic_store_explicit(&slot->used_ns, read_clock(slot->clock), memory_order_relaxed);
        atomic_store_explicit(&slot->turn, turn, memory_order_relaxed);
        return true;
    }
    if (inside && (!atomic_load(&slot->asked) || atomic_load(&slot->suspect) != turn ||
                   ++slot->asked_looks >= ASK_AGAIN_LOOKS)) {
        atomic_store(&slot->suspect, turn);
        atomic_store(&slot->asked, true);
        slot->asked_looks = 0;
        /* The thread cannot end while its state is attached, and detaching needs the lock that is
         * held here. */
        (void)pthread_sigqueue(slot->thread, guard->signal_number,
                               (union sigval){.sival_ptr = slot});
    }
    return inside;
}

static bool look(struct guard *guard)
{
    uint64_t now_ns = clock_mono_ns();
    bool busy = false;
    for (size_t i = 0; i < guard->slot_count; i++) {
        busy = look_at(guard, &guard->slots[i], now_ns) || busy;
    }
    return busy;
}

static void sleep_for(struct guard *guard, long milliseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += milliseconds % 1000 * 1000000;
    until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&guard->wake, &guard->lock,
                                 &until); /* early and late are both fine */
}

/* Sleeps until a resume begins. A worker stores its turn and then loads `parked`; we store `parked`
 * and then load the turns. The barrier makes sure that one of the two sees the other. */
static void park(struct guard *guard)
{
    atomic_store(&guard->parked, true);
    if (guard->has_barrier) {
        barrier_issue();
    }
    bool busy = look(guard);
    while (!busy && !guard->quit && atomic_load(&guard->parked)) {
        if (guard->has_barrier) {
            (void)pthread_cond_wait(&guard->wake, &guard->lock);
        } else {
            sleep_for(guard, LONG_LOOK_MS);
            busy = look(guard);
        }
    }
    atomic_store(&guard->parked, false);
}

static void *watch(void *arg)
{
    struct guard *guard = arg;
    unsigned idle = 0;
    (void)pthread_mutex_lock(&guard->lock);
    while (!guard->quit) {
        idle = look(guard) ? 0 : idle + 1;
        if (idle >= GUARD_IDLE_LOOKS) {
            park(guard);
            idle = 0;
        } else {
            sleep_for(guard, GUARD_LOOK_MS);
        }
    }
    (void)pthread_mutex_unlock(&guard->lock);
    return NULL;
}

/* The first realtime signal that nobody has taken. */
static ULONG take_signal(struct guard *guard)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    (void)sigemptyset(&ours.sa_mask);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        if (sigaction(number, NULL, &guard->before) == 0 &&
            (guard->before.sa_flags & SA_SIGINFO) == 0 && guard->before.sa_handler == SIG_DFL) {
            guard->signal_number = number;
            return sigaction(number, &ours, NULL) == 0 ? NO_ERROR : ERROR_NOT_SUPPORTED;
        }
    }
    return ERROR_NOT_SUPPORTED;
}

ULONG guard_create(size_t slots, const struct host_limits *limits, struct guard **out)
{
    *out = NULL;
    struct guard *guard = calloc(1, sizeof *guard + slots * sizeof guard->slots[0]);
    if (guard == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    pthread_condattr_t attributes;
    guard->limits = *limits;
    guard->slot_count = slots;
    guard->has_barrier = barrier_open();
    (void)pthread_mutex_init(&guard->lock, NULL); /* these four cannot fail on Linux */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&guard->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    for (size_t i = 0; i < slots; i++) {
        guard->slots[i].guard = guard;
    }
    ULONG code = take_signal(guard);
    if (code != NO_ERROR) {
        free(guard);
        return code;
    }
    *out = guard;
    return NO_ERROR;
}

void guard_destroy(struct guard *guard)
{
    if (guard == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&guard->lock);
    guard->quit = true;
    (void)pthread_cond_signal(&guard->wake);
    (void)pthread_mutex_unlock(&guard->lock);
    if (guard->started) {
        (void)pthread_join(guard->thread, NULL);
    }
    for (size_t i = 0; i < guard->slot_count; i++) {
        assert(atomic_load(&guard->slots[i].state) == NULL);
    }
    (void)sigaction(guard->signal_number, &guard->before, NULL);
    (void)pthread_cond_destroy(&guard->wake);
    (void)pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* Under the lock. The watchdog takes no signals: a stop signal is the coordinator's. */
static bool start_thread(struct guard *guard)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (guard->started) {
        return true;
    }
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, WATCHDOG_STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    guard->started = pthread_create(&guard->thread, &attributes, watch, guard) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return guard->started;
}

struct guard_slot *guard_attach(struct guard *guard, struct state *S)
{
    struct guard_slot *slot = NULL;
    (void)pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; slot == NULL && i < guard->slot_count; i++) {
        if (atomic_load(&guard->slots[i].state) == NULL) {
            slot = &guard->slots[i];
        }
    }
    if (slot != NULL && pthread_getcpuclockid(pthread_self(), &slot->clock) == 0 &&
        start_thread(guard)) {
        slot->thread = pthread_self();
        atomic_store(&slot->used_ns, 0);
        atomic_store(&slot->suspect, 0);
        atomic_store(&slot->asked, false);
        atomic_store(&slot->seen_ns, 0);
        atomic_store(&slot->turn, atomic_load(&S->watch.turn));
        atomic_store(&slot->state, S);
        S->watch.parked = &guard->parked;
    } else {
        slot = NULL;
    }
    (void)pthread_mutex_unlock(&guard->lock);
    return slot;
}

void guard_detach(struct guard_slot *slot)
{
    (void)pthread_mutex_lock(&slot->guard->lock);
    struct state *S = atomic_load(&slot->state);
    assert(S != NULL && pthread_equal(slot->thread, pthread_self()));
    S->watch.parked = NULL;
    atomic_store(&slot->state, NULL);
    (void)pthread_mutex_unlock(&slot->guard->lock);
}

void guard_wake(struct guard_slot *slot)
{
    struct guard *guard = slot->guard;
    (void)pthread_mutex_lock(&guard->lock);
    atomic_store(&guard->parked, false);
    (void)pthread_cond_signal(&guard->wake);
    (void)pthread_mutex_unlock(&guard->lock);
}
