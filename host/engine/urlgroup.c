/* See urlgroup.h. */
#include "engine/urlgroup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/endpoint.h"
#include "engine/queue.h"
#include "engine/session.h"
#include "engine/urltree.h"
#include "protocol/urlprefix.h"

ULONG urlgroup_create(struct engine *engine, HTTP_SERVER_SESSION_ID session_id,
                      HTTP_URL_GROUP_ID *out)
{
    struct session *session = session_find(engine, session_id);
    if (session == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    struct urlgroup *group = calloc(1, sizeof *group);
    if (group == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    uint64_t place = slots_insert(&engine->groups, group);
    if (place == 0) {
        free(group);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    group->id = place | LIFETIME_GROUP_BIT;
    group->session = session;
    list_init(&group->registrations);
    list_push_back(&session->groups, &group->session_link);
    atomic_store(&group->refs, 1);
    urlgroup_refresh(group);
    *out = group->id;
    return NO_ERROR;
}

struct urlgroup *urlgroup_find(struct engine *engine, HTTP_URL_GROUP_ID id)
{
    return (id & LIFETIME_GROUP_BIT) == 0 ? NULL
                                          : slots_get(&engine->groups, id & ~LIFETIME_GROUP_BIT);
}

void urlgroup_refresh(struct urlgroup *group)
{
    property_compute_effective(&group->properties,
                               group->session == NULL ? NULL : &group->session->properties,
                               &group->effective);
}

void urlgroup_bind(struct urlgroup *group, struct queue *queue)
{
    list_remove(&group->queue_link);
    if (queue != NULL) {
        list_push_back(&queue->groups, &group->queue_link);
    }
    atomic_store(&group->queue, queue);
}

/* -------- references -------- */

static void release_group(struct retired *retired)
{
    free(LIST_ITEM(retired, struct urlgroup, retired));
}

void urlgroup_ref(struct urlgroup *group)
{
    atomic_fetch_add(&group->refs, 1);
}

static void unref_locked(struct engine *engine, struct urlgroup *group)
{
    if (atomic_fetch_sub(&group->refs, 1) == 1) {
        lifetime_retire(engine, &group->retired, release_group);
    }
}

void urlgroup_unref(struct engine *engine, struct urlgroup *group)
{
    if (atomic_fetch_sub(&group->refs, 1) == 1) {
        pthread_mutex_lock(&engine->lock);
        lifetime_retire(engine, &group->retired, release_group);
        pthread_mutex_unlock(&engine->lock);
    }
}

/* -------- registrations -------- */

/* The addresses that a prefix needs; 0 for a category that needs none. */
static unsigned list_addresses(const struct urlprefix *prefix, struct sock_addr out[2])
{
    if (prefix->category == URLPREFIX_ADDRESS) {
        out[0] = prefix->ipv6 ? sock_addr_loopback_v6(prefix->port)
                              : sock_addr_loopback_v4(prefix->port);
        if (prefix->ipv6) {
            memcpy(&out[0].v6.sin6_addr, prefix->address, 16);
        } else {
            memcpy(&out[0].v4.sin_addr, prefix->address, 4);
        }
        return 1;
    }
    out[0] = sock_addr_loopback_v4(prefix->port);
    out[1] = sock_addr_loopback_v6(prefix->port);
    bool loopback =
        prefix->category == URLPREFIX_EXPLICIT && slice_equal(prefix->host, SLICE_LIT("localhost"));
    if (!loopback) {
        out[0].v4.sin_addr.s_addr = htonl(INADDR_ANY);
        out[1].v6.sin6_addr = in6addr_any;
    }
    return 2;
}

static void release_endpoints(struct engine *engine, struct registration *registration)
{
    for (unsigned i = 0; i < REGISTRATION_ENDPOINTS_MAX; i++) {
        if (registration->endpoints[i] != NULL) {
            endpoint_release(engine, registration->endpoints[i]);
            registration->endpoints[i] = NULL;
        }
    }
}

/* A host that means several addresses needs at least one of them: a machine without IPv6 is no
 * error. */
static ULONG acquire_endpoints(struct engine *engine, struct registration *registration,
                               const struct urlprefix *prefix)
{
    struct sock_addr addresses[2];
    unsigned count = list_addresses(prefix, addresses);
    unsigned opened = 0;
    ULONG missing = NO_ERROR;
    for (unsigned i = 0; i < count; i++) {
        ULONG status =
            endpoint_acquire(engine, &addresses[i], prefix->https, &registration->endpoints[i]);
        if (status == ERROR_NOT_FOUND) {
            missing = status;
        } else if (status != NO_ERROR) {
            release_endpoints(engine, registration);
            return status;
        } else {
            opened++;
        }
    }
    return opened > 0 ? NO_ERROR : missing;
}

/* What routing compares: a name, an address in binary, nothing for wildcards. */
static struct slice host_key(const struct urlprefix *prefix, char *text)
{
    switch (prefix->category) {
    case URLPREFIX_EXPLICIT:
        return slice_make(text + (prefix->host.p - prefix->full.p), prefix->host.len);
    case URLPREFIX_ADDRESS:
        memcpy(text + prefix->full.len + 1, prefix->address, 16);
        return slice_make(text + prefix->full.len + 1, prefix->ipv6 ? 16 : 4);
    default: return slice_make(NULL, 0);
    }
}

/* One block: the struct, its texts, an address. */
static struct registration *make_registration(struct urlgroup *group,
                                              const struct urlprefix *prefix,
                                              HTTP_URL_CONTEXT context)
{
    struct registration *r = calloc(1, sizeof *r + prefix->full.len + 1 + 16);
    if (r == NULL) {
        return NULL;
    }
    char *text = (char *)(r + 1);
    memcpy(text, prefix->full.p, prefix->full.len);
    r->group = group;
    r->context = context;
    r->category = prefix->category;
    r->https = prefix->https;
    r->port = prefix->port;
    r->url = slice_make(text, prefix->full.len);
    r->host = host_key(prefix, text);
    r->path = slice_make(text + (prefix->path.p - prefix->full.p), prefix->path.len);
    urltree_prepare(r);
    return r;
}

static void release_registration(struct retired *retired)
{
    free(LIST_ITEM(retired, struct registration, retired));
}

/* It is out of the tree. */
static void discard_registration(struct engine *engine, struct registration *registration)
{
    list_remove(&registration->group_link);
    release_endpoints(engine, registration);
    lifetime_retire(engine, &registration->retired, release_registration);
}

ULONG urlgroup_add_url(struct engine *engine, HTTP_URL_GROUP_ID id, PCWSTR url,
                       HTTP_URL_CONTEXT context, bool move)
{
    struct urlgroup *group = urlgroup_find(engine, id);
    char buffer[URLPREFIX_BUFFER_BYTES];
    struct urlprefix prefix;
    if (group == NULL || url == NULL ||
        urlprefix_parse(slice_from_cstr(url), buffer, &prefix) != URLPREFIX_OK) {
        return ERROR_INVALID_PARAMETER;
    }
    if (prefix.https) {
        return ERROR_NOT_SUPPORTED;
    }
    ULONG status = endpoint_need_shard(engine); /* may give the lock up for a moment */
    group = urlgroup_find(engine, id);
    if (status != NO_ERROR || group == NULL) {
        return group == NULL ? ERROR_INVALID_PARAMETER : status;
    }
    struct registration *registration = make_registration(group, &prefix, context);
    if (registration == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    const struct urltree *tree = atomic_load(&engine->tree);
    struct registration *before = urltree_conflict(tree, registration);
    bool moves = move && before != NULL && before->group != group;
    status = ERROR_ALREADY_EXISTS;
    if ((before == NULL || moves) && !urltree_has_other_scheme(tree, registration)) {
        status = acquire_endpoints(engine, registration, &prefix);
    }
    if (status == NO_ERROR && moves) {
        urltree_replace(engine, before, registration);
        discard_registration(engine, before);
    } else if (status == NO_ERROR) {
        status = urltree_add(engine, registration);
        if (status != NO_ERROR) {
            release_endpoints(engine, registration);
        }
    }
    if (status != NO_ERROR) {
        free(registration);
        return status;
    }
    list_push_back(&group->registrations, &registration->group_link);
    return NO_ERROR;
}

static void remove_registration(struct engine *engine, struct registration *registration)
{
    urltree_remove(engine, registration);
    discard_registration(engine, registration);
}

static void remove_all(struct engine *engine, struct urlgroup *group)
{
    while (!list_is_empty(&group->registrations)) {
        remove_registration(
            engine, LIST_ITEM(group->registrations.head.prev, struct registration, group_link));
    }
}

/* The newest first: a program that ends removes its URLs in that order, all ten thousand. */
static struct registration *find_registration(struct urlgroup *group, struct slice url)
{
    const struct list_node *end = &group->registrations.head;
    for (struct list_node *node = end->prev; node != end; node = node->prev) {
        struct registration *registration = LIST_ITEM(node, struct registration, group_link);
        if (slice_equal(registration->url, url)) {
            return registration;
        }
    }
    return NULL;
}

ULONG urlgroup_remove_url(struct engine *engine, HTTP_URL_GROUP_ID id, PCWSTR url, ULONG flags)
{
    struct urlgroup *group = urlgroup_find(engine, id);
    bool all = (flags & HTTP_URL_FLAG_REMOVE_ALL) != 0;
    if (group == NULL || (flags & ~HTTP_URL_FLAG_REMOVE_ALL) != 0 || all != (url == NULL)) {
        return ERROR_INVALID_PARAMETER;
    }
    if (all) {
        remove_all(engine, group);
        return NO_ERROR;
    }
    char buffer[URLPREFIX_BUFFER_BYTES];
    struct urlprefix prefix;
    if (urlprefix_parse(slice_from_cstr(url), buffer, &prefix) != URLPREFIX_OK) {
        return ERROR_INVALID_PARAMETER;
    }
    struct registration *registration = find_registration(group, prefix.full);
    if (registration == NULL) {
        return ERROR_FILE_NOT_FOUND;
    }
    remove_registration(engine, registration);
    return NO_ERROR;
}

ULONG urlgroup_close(struct engine *engine, HTTP_URL_GROUP_ID id)
{
    struct urlgroup *group = urlgroup_find(engine, id);
    if (group == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    (void)slots_remove(&engine->groups, id & ~LIFETIME_GROUP_BIT); /* it was just found */
    remove_all(engine, group);
    urlgroup_bind(group, NULL);
    list_remove(&group->session_link);
    group->session = NULL;
    unref_locked(engine, group);
    return NO_ERROR;
}
