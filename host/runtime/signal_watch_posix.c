#include "runtime/signal_watch.h"

#include <poll.h>
#include <unistd.h>

#include "runtime/hostdata.h"

static void on_signal_byte(struct loop_watch *watch, unsigned events)
{
    struct host *host = LIST_ITEM(watch, struct host, signal_watch);
    unsigned char numbers[16];
    (void)events;
    ssize_t count = read(watch->fd, numbers, sizeof numbers);
    for (ssize_t i = 0; i < count; i++) {
        host->config->on_signal(host->config->ctx, host, numbers[i]);
    }
}

bool signal_watch_start(struct host *host)
{
    host->signal_watch = (struct loop_watch){
        .on_ready = on_signal_byte, .fd = host->config->signal_fd, .events = LOOP_READABLE};
    return loop_watch_start(host->loop, &host->signal_watch) == NO_ERROR;
}

void signal_watch_poll(struct host *host)
{
    struct pollfd polled = {.fd = host->config->signal_fd, .events = POLLIN};
    if (host->signal_watch.on_ready != NULL && poll(&polled, 1, 0) == 1) {
        on_signal_byte(&host->signal_watch, LOOP_READABLE);
    }
}

void signal_watch_stop(struct host *host)
{
    if (host->signal_watch.on_ready != NULL) {
        loop_watch_stop(host->loop, &host->signal_watch);
    }
}
