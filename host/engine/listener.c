/* See listener.h. */
#include "engine/listener.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/conn.h"
#include "engine/endpoint.h"

/* A listener on its way to its shard. */
struct message {
    struct loop_task task;
    struct listener *listener;
};

static bool is_wildcard(const struct sock_addr *address)
{
    if (address->sa.sa_family == AF_INET) {
        return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* Takes up to `max` connections. ERROR_IO_PENDING: the backlog is empty; NO_ERROR: there may be
 * more; else nothing can be accepted now, and what waits stays in the backlog. */
static ULONG accept_some(struct listener *listener, unsigned max)
{
    for (unsigned i = 0; i < max; i++) {
        int fd = -1;
        struct sock_addr peer;
        ULONG status = sock_accept(listener->io.fd, &fd, &peer);
        if (status == ERROR_NETNAME_DELETED) {
            continue; /* that one died in the backlog */
        }
        if (status != NO_ERROR) {
            return status;
        }
        (void)conn_open(listener->shard, listener, fd, &peer); /* on failure it closed fd */
    }
    return NO_ERROR;
}

static void start_pause(struct listener *listener)
{
    loop_timer_start(listener->shard->loop, &listener->pause,
                     LISTENER_PAUSE_MS * UINT64_C(1000000));
}

static void end_pause(struct loop_timer *timer)
{
    struct listener *listener = LIST_ITEM(timer, struct listener, pause);
    if (loop_io_add_listener(listener->shard->loop, &listener->io) != NO_ERROR) {
        start_pause(listener);
    }
}

static void on_event(struct loop_io *io, unsigned events)
{
    (void)events;
    struct listener *listener = LIST_ITEM(io, struct listener, io);
    ULONG status = accept_some(listener, SHARD_ACCEPTS_PER_EVENT);
    if (status != NO_ERROR && status != ERROR_IO_PENDING) { /* level triggered: it would spin */
        loop_io_remove(listener->shard->loop, &listener->io);
        start_pause(listener);
    }
}

void listener_unref(struct listener *listener)
{
    assert(listener->refs > 0);
    if (--listener->refs == 0) {
        free(listener);
    }
}

static void close_listener(struct listener *listener)
{
    if (listener->io.fd < 0) {
        return;
    }
    if (list_is_linked(&listener->link)) {
        list_remove(&listener->link);
        if (loop_timer_is_running(&listener->pause)) {
            loop_timer_stop(listener->shard->loop, &listener->pause);
        } else {
            loop_io_remove(listener->shard->loop, &listener->io);
        }
    }
    sock_close(listener->io.fd);
    listener->io.fd = -1;
    listener_unref(listener);
}

static void start(struct listener *listener)
{
    struct shard *shard = listener->shard;
    if (shard->draining || shard->closing ||
        loop_io_add_listener(shard->loop, &listener->io) != NO_ERROR) {
        close_listener(listener);
        return;
    }
    list_push_back(&shard->listeners, &listener->link);
}

static void on_message(struct loop_task *task)
{
    struct message *message = LIST_ITEM(task, struct message, task);
    struct listener *listener = message->listener;
    struct engine *engine = listener->shard->engine;
    free(message);
    pthread_mutex_lock(&engine->lock);
    bool open = endpoint_is_open(engine, listener->endpoint_id);
    pthread_mutex_unlock(&engine->lock);
    if (open) {
        start(listener);
    } else {
        close_listener(listener); /* it was closed while this was on its way */
    }
}

ULONG listener_add(struct shard *shard, int fd, const struct endpoint *endpoint)
{
    bool here = shard == shard_current();
    struct listener *listener = calloc(1, sizeof *listener);
    struct message *message = here ? NULL : calloc(1, sizeof *message);
    if (listener == NULL || (message == NULL && !here)) {
        free(listener);
        free(message);
        sock_close(fd);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    listener->io = (struct loop_io){.on_event = on_event, .fd = fd};
    listener->shard = shard;
    listener->endpoint_id = endpoint->id;
    listener->address = endpoint->address;
    listener->port = sock_addr_port(&endpoint->address);
    listener->https = endpoint->https;
    listener->wildcard = is_wildcard(&endpoint->address);
    listener->refs = 1;
    listener->pause.on_fire = end_pause;
    if (here) {
        start(listener);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the shard's list has it, or it is closed */
        return NO_ERROR;
    }
    message->task.run = on_message;
    message->listener = listener;
    loop_post(shard->loop, &message->task);
    return NO_ERROR;
}

void listener_close_gone(struct shard *shard)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->listeners)
    {
        struct listener *listener = LIST_ITEM(node, struct listener, link);
        if (!endpoint_is_open(shard->engine, listener->endpoint_id)) {
            close_listener(listener);
        }
    }
}

void listener_drain(struct shard *shard)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->listeners)
    {
        struct listener *listener = LIST_ITEM(node, struct listener, link);
        (void)accept_some(listener, ENDPOINT_BACKLOG); /* bounded by what the kernel can hold */
        close_listener(listener);
    }
}

void listener_close_all(struct shard *shard)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &shard->listeners)
    {
        close_listener(LIST_ITEM(node, struct listener, link));
    }
}
