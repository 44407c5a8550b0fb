/* Properties of sessions, groups and queues: what was set, and what is in force.
 *
 * Stored as set (`Present` or not) in struct properties; a group's effective values are session
 * over default, group over session, computed when something changes (urlgroup_refresh), never per
 * request. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/httpapi.h"

enum {
    PROPERTY_TIMEOUT_DEFAULT_S = 120,
    PROPERTY_MIN_SEND_RATE_DEFAULT = 150, /* bytes per second */
    PROPERTY_QUEUE_LENGTH_DEFAULT = 1000,
    PROPERTY_TIMEOUT_OFF = 0xFFFF /* MAXUSHORT switches a timer off */
};

/* As set by the program; flags say which are present. */
struct properties {
    bool has_state, has_timeouts, has_connection_limit;
    HTTP_ENABLED_STATE state;
    HTTP_TIMEOUT_LIMIT_INFO timeouts; /* 0 in a member = not set here */
    ULONG connection_limit;
};

/* In force for a group. Written under the engine's lock, read by shards at any time, each member by
 * itself. Seconds; 0 = off. */
struct effective {
    _Atomic uint32_t active; /* 0 = requests get 503 */
    _Atomic uint32_t entity_body_s, drain_entity_body_s, request_queue_s, idle_connection_s,
        header_wait_s;
    _Atomic uint32_t min_send_rate;    /* bytes per second, 0 = off */
    _Atomic uint32_t connection_limit; /* UINT32_MAX = none */
};

enum property_owner { PROPERTY_OF_SESSION, PROPERTY_OF_GROUP };

/* HttpSet...Property for sessions and groups, binding excepted. Caller refreshes the groups after
 * NO_ERROR. Errors: as the contract; ERROR_NOT_SUPPORTED for authentication, logging, bandwidth,
 * flow rate and channel binding until they are built. */
ULONG property_set(struct properties *own, enum property_owner owner, HTTP_SERVER_PROPERTY property,
                   const void *info, ULONG length);
/* HttpQuery...Property. out_length: bytes needed or written. */
ULONG property_query(const struct properties *own, enum property_owner owner,
                     HTTP_SERVER_PROPERTY property, void *info, ULONG length, ULONG *out_length);
/* group over session over default. session may be NULL. */
void property_compute_effective(const struct properties *group, const struct properties *session,
                                struct effective *out);
