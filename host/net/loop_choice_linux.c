#include "net/loop_backend.h"

const struct loop_backend_ops *loop_backend_choose(enum loop_backend wanted)
{
    switch (wanted) {
    case LOOP_BACKEND_DEFAULT:
    case LOOP_BACKEND_EPOLL: return &loop_backend_epoll;
    case LOOP_BACKEND_IO_URING: return &loop_backend_uring;
    case LOOP_BACKEND_IOCP: break;
    }
    return NULL;
}
