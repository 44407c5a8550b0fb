/* In place of loop_uring.c where liburing was not there to build with: the back end has a name, and
 * opening it says that it is not available. */
#include "net/loop_backend.h"

static ULONG none_open(void **state)
{
    *state = NULL;
    return ERROR_NOT_SUPPORTED;
}

const struct loop_backend_ops loop_backend_uring = {.name = "io_uring", .open = none_open};
