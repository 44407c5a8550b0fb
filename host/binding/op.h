/* An overlapped contract call that a task waits for.
 *
 * NO_ERROR and ERROR_IO_PENDING both mean that a completion will come; after NO_ERROR the results
 * may be used at once and nobody waits, but the memory stays in use until the completion came.
 * Any other code means that there is none.
 *
 *   OP_FREE       not in use                                   STARTED
 *   OP_STARTED    the completion has not come                  FREE
 *
 * Owner: embedded in what the call is about (a request), which stays alive until op_is_busy is
 * false: on_done is the place to ask. Thread: the state's. */
#pragma once

#include <stdbool.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "binding/task.h"

struct op {
    struct loop_op loop; /* first: the contract hands its address back */
    struct wait wait;    /* who waits for it, if anybody */
    HANDLE queue;        /* for cancelling */
    ULONG status;        /* what the call returned, then the final code */
    ULONG bytes;         /* count, likewise */
    bool busy;           /* the completion has not come */
    /* Called when the completion came, before the waiting task is woken; may free the op's memory.
     * true: it was started again, the task waits on. May be NULL. */
    bool (*on_done)(struct op *op);
};

/* Prepares it for a call; returns what to pass as Overlapped. */
LPOVERLAPPED op_begin(struct op *op, HANDLE queue);

/* Takes the call's result. true: the call is over (op->status, op->bytes) and nobody need wait. */
bool op_started(struct op *op, ULONG result);

/* Suspends the current task until the completion came; see task_wait_for. Cancelling asks the
 * provider (CancelIoEx) and still waits for the completion, so that buffers are never in use behind
 * the task's back. Call task_check_wait before the contract call: here it is too late to raise. */
int op_wait(lua_State *L, struct op *op, uint64_t timeout_ns, lua_KContext ctx, lua_KFunction k);

/* Asks the provider to cancel it; the completion comes in any case. Harmless when not busy. */
void op_cancel(struct op *op);

static inline bool op_is_busy(const struct op *op)
{
    return op->busy;
}
