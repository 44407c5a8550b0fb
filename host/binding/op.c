#include "binding/op.h"

#include <assert.h>
#include <string.h>

#include "binding/state.h"

static struct op *op_of_wait(struct wait *wait)
{
    return (struct op *)(void *)((char *)wait - offsetof(struct op, wait));
}

/* on_done may start the op again (a receive that needs a bigger buffer): then the task waits on. */
static void complete(struct loop_op *loop_op, ULONG status, ULONG bytes)
{
    struct op *op = (struct op *)loop_op;
    assert(op->busy);
    op->busy = false;
    op->status = status;
    op->bytes = bytes;
    struct task *task = task_detach(&op->wait);
    if (task != NULL) {
        task->op_status = status;
        task->op_bytes = bytes;
    }
    bool again = false;
    if (op->on_done != NULL) {
        again = op->on_done(op);
    }
    if (task == NULL) {
        return;
    }
    if (again) {
        task_attach(task, &op->wait);
    } else {
        task_wake_detached(task);
    }
}

LPOVERLAPPED op_begin(struct op *op, HANDLE queue)
{
    assert(!op->busy);
    memset(&op->loop.overlapped, 0, sizeof op->loop.overlapped);
    op->loop.on_complete = complete;
    op->queue = queue;
    op->busy = true;
    return &op->loop.overlapped;
}

bool op_started(struct op *op, ULONG result)
{
    assert(op->busy);
    op->status = result;
    if (result == ERROR_IO_PENDING) {
        return false;
    }
    op->bytes = result == NO_ERROR ? (ULONG)op->loop.overlapped.InternalHigh : 0;
    op->busy = result == NO_ERROR;
    return true;
}

static void cancel_wait(struct wait *wait)
{
    op_cancel(op_of_wait(wait));
}

int op_wait(lua_State *L, struct op *op, uint64_t timeout_ns, lua_KContext ctx, lua_KFunction k)
{
    assert(op->busy);
    op->wait.cancel = cancel_wait;
    return task_wait_for(L, &op->wait, timeout_ns, ctx, k);
}

void op_cancel(struct op *op)
{
    if (op->busy) {
        /* "Nothing was pending" means that its completion is already on the way. */
        (void)CancelIoEx(op->queue, &op->loop.overlapped);
    }
}
