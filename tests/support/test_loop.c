/* Stands in the place of host/net/loop_choice_linux.c in the tests that run on each back end: by
 * default epoll, MOONLATCH_TEST_LOOP=io_uring makes that the default. CTest sets it
 * (cmake/tests.cmake); the program itself reads no such variable. Linked as an object, so that the
 * one of the library is not taken. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop_backend.h"

enum { EXIT_SKIPPED = 77 };

static bool is_uring_wanted(void)
{
    const char *name = getenv("MOONLATCH_TEST_LOOP");
    return name != NULL && strcmp(name, loop_backend_uring.name) == 0;
}

static void *try_to_open(void *is_there)
{
    void *state = NULL;
    if (loop_backend_uring.open(&state) == NO_ERROR) {
        loop_backend_uring.close(state);
        *(bool *)is_there = true;
    }
    return NULL;
}

/* Before main: where this kernel refuses io_uring the whole test is skipped, and says so. On a
 * thread of its own, as a thread that has closed a ring may see EINTR afterwards. */
__attribute__((constructor)) static void skip_what_cannot_run(void)
{
    bool is_there = false;
    pthread_t thread;
    if (!is_uring_wanted() || (pthread_create(&thread, NULL, try_to_open, &is_there) == 0 &&
                               pthread_join(thread, NULL) == 0 && is_there)) {
        return;
    }
    (void)fputs("skipped: this kernel has no io_uring for us, or liburing was not there to build "
                "with\n",
                stderr);
    _exit(EXIT_SKIPPED);
}

const struct loop_backend_ops *loop_backend_choose(enum loop_backend wanted,
                                                   const struct loop_backend_ops *turned_down)
{
    if (turned_down != NULL) {
        return NULL;
    }
    switch (wanted) {
    case LOOP_BACKEND_DEFAULT: return is_uring_wanted() ? &loop_backend_uring : &loop_backend_epoll;
    case LOOP_BACKEND_EPOLL: return &loop_backend_epoll;
    case LOOP_BACKEND_IO_URING: return &loop_backend_uring;
    case LOOP_BACKEND_IOCP: break;
    }
    return NULL;
}
