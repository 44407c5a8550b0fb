/* See h1.h. */
#include "engine/h1.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "engine/listener.h"
#include "engine/queue.h"
#include "engine/refuse.h"
#include "engine/request.h"
#include "engine/urlgroup.h"
#include "engine/urltree.h"
#include "protocol/url.h"

static const struct h1_limits limits = {H1_HEAD_BYTES_MAX, H1_FIELD_BYTES_MAX, H1_TARGET_BYTES_MAX,
                                        SHARD_HEADERS_MAX};

/* "127.0.0.1:8080": the host of an HTTP/1.0 request that names none. */
static APART struct slice address_text(const struct sockaddr *local, uint16_t port, char *out,
                                       size_t cap)
{
    char ip[URL_IP_TEXT_MAX];
    uint8_t address[16] = {0};
    int n = 0;
    if (local->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, local, sizeof v4);
        memcpy(address, &v4.sin_addr, 4);
        (void)url_format_ip(URL_HOST_IPV4, address, ip);
        n = snprintf(out, cap, "%s:%u", ip, (unsigned)port);
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, local, sizeof v6);
        memcpy(address, &v6.sin6_addr, 16);
        (void)url_format_ip(URL_HOST_IPV6, address, ip);
        n = snprintf(out, cap, "[%s]:%u", ip, (unsigned)port);
    }
    return slice_make(out, (size_t)n);
}

/* Makes the cooked URL in the scratch. false: the URL is refused. */
static bool cook(struct conn *conn)
{
    struct shard *shard = conn->shard;
    char address[URL_IP_TEXT_MAX + 16];
    struct slice host = shard->head.host;
    if (host.len == 0) {
        host = address_text(conn_local(conn), conn->listener->port, address, sizeof address);
    }
    struct url_cook_in in = {
        .target = shard->head.target,
        .host = host,
        .rules = NULL,
        .https = conn->listener->https,
    };
    return url_cook(&in, shard->cooked, sizeof shard->cooked, &shard->cooked_at) == URL_OK;
}

static const struct registration *route(struct conn *conn, enum urltree_miss *miss,
                                        bool *by_address)
{
    struct shard *shard = conn->shard;
    const struct url_cooked *at = &shard->cooked_at;
    struct urltree_key key = {
        .host = slice_make(shard->cooked + at->host_at, at->host_bytes),
        .path = slice_make(shard->cooked + at->path_at, at->path_bytes),
        .local = conn_local(conn),
        .port = conn->listener->port,
        .https = conn->listener->https,
    };
    const struct urltree *tree = atomic_load_explicit(&shard->engine->tree, memory_order_acquire);
    if (tree == NULL) { /* after the last terminate a loop may still have connections */
        *miss = URLTREE_NO_HOST;
        return NULL;
    }
    return urltree_find(tree, &shard->url_memo, &key, miss, by_address);
}

/* Counts the connection in the group that its newest request belongs to. false: the group is full.
 */
static bool enter_group(struct conn *conn, struct urlgroup *group)
{
    if (conn->group == group) {
        return true;
    }
    uint32_t limit = atomic_load(&group->effective.connection_limit);
    if (atomic_fetch_add(&group->connections, 1) >= limit) {
        atomic_fetch_sub(&group->connections, 1);
        return false;
    }
    if (conn->group != NULL) {
        atomic_fetch_sub(&conn->group->connections, 1);
        urlgroup_unref(conn->shard->engine, conn->group);
    }
    urlgroup_ref(group);
    conn->group = group;
    return true;
}

/* The head is in the scratch, the head's bytes are consumed: finds who gets the request. */
static void dispatch(struct conn *conn, uint16_t head_start)
{
    enum urltree_miss miss = URLTREE_HIT;
    bool by_address = false;
    if (!cook(conn)) {
        refuse_conn(conn, 400, "URL");
        return;
    }
    const struct registration *registration = route(conn, &miss, &by_address);
    if (registration == NULL) {
        if (miss == URLTREE_NO_HOST) {
            refuse_conn(conn, 400, "Hostname");
        } else {
            refuse_conn(conn, 404, "NotFound");
        }
        return;
    }
    struct urlgroup *group = registration->group;
    struct queue *queue = atomic_load_explicit(&group->queue, memory_order_acquire);
    if (!enter_group(conn, group)) {
        refuse_unavailable(conn, queue, "ConnLimit");
        return;
    }
    if (queue == NULL ||
        atomic_load_explicit(&group->effective.active, memory_order_relaxed) == 0) {
        refuse_unavailable(conn, queue, queue == NULL ? "N/A" : "Disabled");
        return;
    }
    struct request *request = request_open(conn);
    if (request == NULL) {
        refuse_unavailable(conn, queue, "N/A");
        return;
    }
    request->head_start = head_start;
    request->url_context = registration->context;
    request->by_address = by_address;
    conn_set_state(conn, CONN_REQUEST);
    conn->deadline_ns = UINT64_MAX; /* the application's time is not limited */
    queue_deliver(conn->shard, queue, request);
}

/* Clients name the same host again and again. */
static void remember_host(struct shard *shard)
{
    struct slice host = shard->head.host_field;
    if (!shard->head.host_is_known && host.len > 0 && host.len <= sizeof shard->host) {
        memcpy(shard->host, host.p, host.len);
        shard->head.host_known = slice_make(shard->host, host.len);
    }
}

bool h1_take_request(struct conn *conn)
{
    struct shard *shard = conn->shard;
    struct h1_refusal why = {0};
    shard->scratch_of = NULL;
    shard->head.headers = shard->headers;
    if (conn->in_start > SHARD_IN_BLOCK - CONN_BODY_ROOM - H1_HEAD_BYTES_MAX) {
        conn_compact(conn, 0); /* pipelined: room for the rest of the head, and for its body */
    }
    const char *start = conn->in + conn->in_start;
    enum h1_result result =
        h1_parse_head(start, conn_in_len(conn), conn->in_scanned, &limits, &shard->head, &why);
    if (result == H1_NEED_MORE) {
        conn->in_scanned = (uint16_t)conn_in_len(conn);
        if (conn->state != CONN_HEAD) {
            conn_set_state(conn, CONN_HEAD);
            conn_set_deadline(conn, CONN_TIMEOUT_S(conn, header_wait_s));
        }
        return false;
    }
    conn->in_scanned = 0;
    if (result == H1_REFUSED) {
        refuse_conn(conn, why.status, why.phrase);
        return true;
    }
    remember_host(shard);
    uint16_t head_start = conn->in_start;
    conn->in_start = (uint16_t)(conn->in_start + shard->head.head_bytes);
    dispatch(conn, head_start);
    return true;
}

void h1_refresh_scratch(struct request *request)
{
    struct conn *conn = request->conn;
    struct shard *shard = conn->shard;
    if (shard->scratch_of == request) {
        return;
    }
    struct h1_refusal why = {0};
    shard->head.headers = shard->headers;
    enum h1_result result = h1_parse_head(conn->in + request->head_start, request->head_bytes, 0,
                                          &limits, &shard->head, &why);
    bool cooked = result == H1_OK && cook(conn);
    assert(cooked); /* the same bytes passed before */
    (void)cooked;
    shard->scratch_of = request;
}
