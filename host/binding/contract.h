/* The contract calls of the ledger, each with its trace line.
 *
 * One function for each call that makes, changes or closes something. They turn text and handles
 * into what the call wants, make it, and tell the trace what came out. Nothing else is decided
 * here; the request path does not come through here.
 *
 * Owner: struct contract is part of the ledger. Thread: any, serialized by the ledger. */
#pragma once

#include <stdint.h>

#include "api/httpapi.h"
#include "base/slice.h"

struct contract {
    /* May be NULL. call: the documented name. object: what it was about. */
    void (*trace)(void *ctx, const char *call, const char *object, ULONG result);
    void *ctx;
};

/* label: the object's name for the trace, NUL-terminated. The rest as documented for the call. */
ULONG contract_initialize(const struct contract *c, ULONG flags);
ULONG contract_terminate(const struct contract *c, ULONG flags);
ULONG contract_create_session(const struct contract *c, const char *label,
                              HTTP_SERVER_SESSION_ID *id);
ULONG contract_close_session(const struct contract *c, const char *label,
                             HTTP_SERVER_SESSION_ID id);
ULONG contract_create_group(const struct contract *c, const char *label,
                            HTTP_SERVER_SESSION_ID session, HTTP_URL_GROUP_ID *id);
ULONG contract_close_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID id);
ULONG contract_create_queue(const struct contract *c, const char *label, HANDLE *queue);
ULONG contract_shutdown_queue(const struct contract *c, const char *label, HANDLE queue);
ULONG contract_close_queue(const struct contract *c, const char *label, HANDLE queue);
/* url: UTF-8, shorter than LEDGER_PREFIX_BYTES_MAX. ERROR_INVALID_PARAMETER when it is not UTF-8.
 */
/* move: from whichever group has it (HTTP_URL_FLAG_MOVE). */
ULONG contract_add_url(const struct contract *c, HTTP_URL_GROUP_ID group, struct slice url,
                       HTTP_URL_CONTEXT context, bool move);
ULONG contract_remove_url(const struct contract *c, HTTP_URL_GROUP_ID group, struct slice url);
/* queue NULL unbinds. */
ULONG contract_bind_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID group,
                          HANDLE queue);
ULONG contract_set_session(const struct contract *c, const char *label, HTTP_SERVER_SESSION_ID id,
                           HTTP_SERVER_PROPERTY property, void *value, ULONG bytes);
ULONG contract_set_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID id,
                         HTTP_SERVER_PROPERTY property, void *value, ULONG bytes);
ULONG contract_set_queue(const struct contract *c, const char *label, HANDLE queue,
                         HTTP_SERVER_PROPERTY property, void *value, ULONG bytes);

/* A call made elsewhere on the exit path (HttpCancelHttpRequest), told to the same trace. */
void contract_note(const struct contract *c, const char *call, const char *object, ULONG result);
