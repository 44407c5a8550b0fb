#include <stdbool.h>

#include "net/loop_backend.h"

/* By default io_uring, which costs less wherever many connections are busy and no more elsewhere
 * (docs/performance.md), and epoll where the kernel does not give it to this process. */
const struct loop_backend_ops *loop_backend_choose(enum loop_backend wanted,
                                                   const struct loop_backend_ops *turned_down)
{
    if (turned_down != NULL) {
        bool is_other_left = wanted == LOOP_BACKEND_DEFAULT && turned_down == &loop_backend_uring;
        return is_other_left ? &loop_backend_epoll : NULL;
    }
    switch (wanted) {
    case LOOP_BACKEND_DEFAULT:
    case LOOP_BACKEND_IO_URING: return &loop_backend_uring;
    case LOOP_BACKEND_EPOLL: return &loop_backend_epoll;
    case LOOP_BACKEND_IOCP: break;
    }
    return NULL;
}
