/* Properties of sessions, groups and queues by name, with units.
 *
 *   name               on                     value                        contract property
 *   timeouts           session, group         table of the six below       HttpServerTimeouts-
 *                                                                          Property
 *    .entity_body .drain_entity_body .request_queue .idle_connection .header_wait
 *                                             whole seconds, false: no limit
 *    .min_send_rate                           bytes per second, false: no limit
 *   state              session, group, queue  "active" | "inactive"        HttpServerStateProperty
 *   bandwidth          session, group         bytes per second, false: no  HttpServerQosProperty
 *                                             limit
 *   connection_limit   group                  connections, false: no limit HttpServerQosProperty
 *   length             queue                  requests waiting at most     HttpServerQueueLength-
 *                                                                          Property
 *   verbosity          queue                  "basic" | "limited" |        HttpServer503Verbosity-
 *                                             "full"                       Property
 *
 * nil means "not set here": the session's value, else the default of the API.
 *
 * Owner: plain values. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/httpapi.h"
#include "binding/contract.h"

struct lua_State;
struct near;

enum property_id {
    PROPERTY_ENTITY_BODY,
    PROPERTY_DRAIN_ENTITY_BODY,
    PROPERTY_REQUEST_QUEUE,
    PROPERTY_IDLE_CONNECTION,
    PROPERTY_HEADER_WAIT,
    PROPERTY_MIN_SEND_RATE,
    PROPERTY_STATE,
    PROPERTY_BANDWIDTH,
    PROPERTY_CONNECTION_LIMIT,
    PROPERTY_LENGTH,
    PROPERTY_VERBOSITY,
    PROPERTY_COUNT
};

/* Kinds of object as bits, for "may have this property". */
enum { PROPERTY_ON_SESSION = 1, PROPERTY_ON_GROUP = 2, PROPERTY_ON_QUEUE = 4 };

/* A set of values in the contract's units. Bit i of present: value[i] counts. In a change, a value
 * of PROPERTY_UNSET takes the property back to "not set here"; in a stored set an absent bit means
 * the same. */
struct properties {
    uint32_t present;
    uint32_t value[PROPERTY_COUNT];
};

#define PROPERTY_UNSET    UINT32_MAX
/* "No limit" of any property that has it; turned into MAXUSHORT, MAXULONG or HTTP_LIMIT_INFINITE
 * where the call is made. */
#define PROPERTY_NO_LIMIT (UINT32_MAX - 1)

/* What a set of properties is applied to. */
struct property_target {
    uint32_t on;                    /* one PROPERTY_ON_ bit */
    HTTP_SERVER_SESSION_ID session; /* the id that fits `on`; the others are not looked at */
    HTTP_URL_GROUP_ID group;
    HANDLE queue;
    const char *label; /* for the trace */
};

/* Adds the change to the set (PROPERTY_UNSET removes). */
void properties_merge(struct properties *set, const struct properties *change);
bool properties_equal(const struct properties *a, const struct properties *b);

/* Replaces in *set what properties_apply had done when it failed at `failed`. */
void properties_take_before(struct properties *set, const struct properties *after,
                            enum property_id failed);

/* Makes the contract calls that turn an object with `before` in force into one with `after`;
 * nothing when they are equal. *call: the contract function of the last call made. *failed: the
 * property in question when the result is not NO_ERROR. Errors: the contract's;
 * ERROR_NOT_SUPPORTED, ERROR_CALL_NOT_IMPLEMENTED where the provider lacks the property. */
ULONG properties_apply(const struct contract *contract, const struct property_target *target,
                       const struct properties *before, const struct properties *after,
                       const char **call, enum property_id *failed);

/* The script's name of a property: "timeouts.header_wait". */
const char *property_name(enum property_id id);

/* Tries the names of properties that objects of kind `on` have; members: those of the table
 * `timeouts`. */
void property_try_names(struct near *near, uint32_t on, bool members);

/* Reads property `name` with the value at `index` into *set if objects of kind `on` have it:
 * [-0,+0,v] Returns false when there is no such property there; raises for a wrong value. nil reads
 * as PROPERTY_UNSET. */
bool property_read(struct lua_State *L, uint32_t on, const char *name, int index,
                   struct properties *set);

/* Pushes the value of property `name`, nil when not set here: [-0,+(0|1),m]. false: no such
 * property there, nothing pushed. */
bool property_push(struct lua_State *L, uint32_t on, const char *name,
                   const struct properties *set);
