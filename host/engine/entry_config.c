/* The contract's functions on sessions, groups, URLs, queues and their properties: arguments are
 * checked here, the work is done under the engine's lock. Each function's own page is
 * api/httpapi.h. */
#include <stddef.h>

#include "engine/lifetime.h"
#include "engine/queue.h"
#include "engine/session.h"
#include "engine/shard.h"
#include "engine/urlgroup.h"

/* Leaves the lock. On a thread without a shard it first waits until every shard has acted upon what
 * was changed, so that a closed port is free and a cancelled receive has ended when the function
 * returns. On a shard's thread its own part is done, the others follow. */
static void leave_settled(struct engine *engine)
{
    if (shard_current() == NULL) {
        lifetime_wait_seen(engine, atomic_load(&engine->version));
    }
    lifetime_leave(engine);
}

/* -------- sessions -------- */

ULONG WINAPI HttpCreateServerSession(HTTPAPI_VERSION Version,
                                     PHTTP_SERVER_SESSION_ID ServerSessionId, ULONG Reserved)
{
    struct engine *engine = NULL;
    if (ServerSessionId == NULL || Reserved != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = session_create(engine, Version, ServerSessionId);
        lifetime_leave(engine);
    }
    return status;
}

ULONG WINAPI HttpCloseServerSession(HTTP_SERVER_SESSION_ID ServerSessionId)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = session_close(engine, ServerSessionId);
        leave_settled(engine);
    }
    return status;
}

ULONG WINAPI HttpSetServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                          HTTP_SERVER_PROPERTY Property, PVOID PropertyInformation,
                                          ULONG PropertyInformationLength)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    struct session *session = session_find(engine, ServerSessionId);
    status = session == NULL ? ERROR_INVALID_PARAMETER
                             : property_set(&session->properties, PROPERTY_OF_SESSION, Property,
                                            PropertyInformation, PropertyInformationLength);
    if (status == NO_ERROR) {
        session_refresh_groups(session);
    }
    lifetime_leave(engine);
    return status;
}

ULONG WINAPI HttpQueryServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                            HTTP_SERVER_PROPERTY Property,
                                            PVOID PropertyInformation,
                                            ULONG PropertyInformationLength, PULONG ReturnLength)
{
    struct engine *engine = NULL;
    ULONG needed = 0;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    const struct session *session = session_find(engine, ServerSessionId);
    status = session == NULL
                 ? ERROR_INVALID_PARAMETER
                 : property_query(&session->properties, PROPERTY_OF_SESSION, Property,
                                  PropertyInformation, PropertyInformationLength, &needed);
    if (ReturnLength != NULL && (status == NO_ERROR || status == ERROR_MORE_DATA)) {
        *ReturnLength = needed;
    }
    lifetime_leave(engine);
    return status;
}

/* -------- groups -------- */

ULONG WINAPI HttpCreateUrlGroup(HTTP_SERVER_SESSION_ID ServerSessionId,
                                PHTTP_URL_GROUP_ID pUrlGroupId, ULONG Reserved)
{
    struct engine *engine = NULL;
    if (pUrlGroupId == NULL || Reserved != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = urlgroup_create(engine, ServerSessionId, pUrlGroupId);
        lifetime_leave(engine);
    }
    return status;
}

ULONG WINAPI HttpCloseUrlGroup(HTTP_URL_GROUP_ID UrlGroupId)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = urlgroup_close(engine, UrlGroupId);
        leave_settled(engine);
    }
    return status;
}

ULONG WINAPI HttpAddUrlToUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                  HTTP_URL_CONTEXT UrlContext, ULONG Reserved)
{
    struct engine *engine = NULL;
    if ((Reserved & ~HTTP_URL_FLAG_MOVE) != 0) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = urlgroup_add_url(engine, UrlGroupId, pFullyQualifiedUrl, UrlContext,
                                  Reserved == HTTP_URL_FLAG_MOVE);
        lifetime_leave(engine);
    }
    return status;
}

ULONG WINAPI HttpRemoveUrlFromUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                       ULONG Flags)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = urlgroup_remove_url(engine, UrlGroupId, pFullyQualifiedUrl, Flags);
        leave_settled(engine);
    }
    return status;
}

static ULONG set_binding(struct engine *engine, struct urlgroup *group, const void *info,
                         ULONG length)
{
    const HTTP_BINDING_INFO *binding = info;
    if (binding == NULL || length < sizeof *binding) {
        return ERROR_INVALID_PARAMETER;
    }
    bool unbind = !binding->Flags.Present || binding->RequestQueueHandle == NULL;
    struct queue *queue = unbind ? NULL : queue_find(engine, binding->RequestQueueHandle);
    if (!unbind && queue == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    urlgroup_bind(group, queue);
    return NO_ERROR;
}

ULONG WINAPI HttpSetUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                     PVOID PropertyInformation, ULONG PropertyInformationLength)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    struct urlgroup *group = urlgroup_find(engine, UrlGroupId);
    if (group == NULL) {
        status = ERROR_INVALID_PARAMETER;
    } else if (Property == HttpServerBindingProperty) {
        status = set_binding(engine, group, PropertyInformation, PropertyInformationLength);
    } else {
        status = property_set(&group->properties, PROPERTY_OF_GROUP, Property, PropertyInformation,
                              PropertyInformationLength);
    }
    if (status == NO_ERROR) {
        urlgroup_refresh(group);
    }
    lifetime_leave(engine);
    return status;
}

static ULONG query_binding(const struct urlgroup *group, void *info, ULONG length, ULONG *needed)
{
    const struct queue *queue = atomic_load(&group->queue);
    HTTP_BINDING_INFO *binding = info;
    *needed = sizeof *binding;
    if (binding == NULL || length < sizeof *binding) {
        return ERROR_MORE_DATA;
    }
    binding->Flags.Present = queue != NULL;
    binding->RequestQueueHandle = queue == NULL ? NULL : (HANDLE)(uintptr_t)queue->id;
    return NO_ERROR;
}

ULONG WINAPI HttpQueryUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                       PVOID PropertyInformation, ULONG PropertyInformationLength,
                                       PULONG ReturnLength)
{
    struct engine *engine = NULL;
    ULONG needed = 0;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    const struct urlgroup *group = urlgroup_find(engine, UrlGroupId);
    if (group == NULL) {
        status = ERROR_INVALID_PARAMETER;
    } else if (Property == HttpServerBindingProperty) {
        status = query_binding(group, PropertyInformation, PropertyInformationLength, &needed);
    } else {
        status = property_query(&group->properties, PROPERTY_OF_GROUP, Property,
                                PropertyInformation, PropertyInformationLength, &needed);
    }
    if (ReturnLength != NULL && (status == NO_ERROR || status == ERROR_MORE_DATA)) {
        *ReturnLength = needed;
    }
    lifetime_leave(engine);
    return status;
}

/* -------- queues -------- */

ULONG WINAPI HttpCreateRequestQueue(HTTPAPI_VERSION Version, PCWSTR Name,
                                    PSECURITY_ATTRIBUTES SecurityAttributes, ULONG Flags,
                                    PHANDLE RequestQueueHandle)
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        status = queue_create(engine, Version, Name, SecurityAttributes, Flags, RequestQueueHandle);
        lifetime_leave(engine);
    }
    return status;
}

/* Acts on a queue's new phase on the calling thread's own shard, at once. Not under the lock. */
static void notice_here(uint32_t place)
{
    struct shard *here = shard_current();
    if (here != NULL && place < here->port_cap && here->ports[place] != NULL) {
        queue_notice_phase(here, &here->ports[place]);
    }
}

static ULONG end_queue(HANDLE handle, void (*end)(struct engine *, struct queue *))
{
    struct engine *engine = NULL;
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    struct queue *queue = queue_find(engine, handle);
    if (queue == NULL) {
        lifetime_leave(engine);
        return ERROR_INVALID_HANDLE;
    }
    end(engine, queue);
    leave_settled(engine);
    notice_here((uint32_t)(uintptr_t)handle);
    return NO_ERROR;
}

ULONG WINAPI HttpCloseRequestQueue(HANDLE RequestQueueHandle)
{
    return end_queue(RequestQueueHandle, queue_close_locked);
}

ULONG WINAPI HttpShutdownRequestQueue(HANDLE RequestQueueHandle)
{
    return end_queue(RequestQueueHandle, queue_shut_locked);
}

ULONG WINAPI HttpSetRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                         PVOID PropertyInformation, ULONG PropertyInformationLength,
                                         ULONG Reserved1, PVOID Reserved2)
{
    struct engine *engine = NULL;
    if (Reserved1 != 0 || Reserved2 != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = lifetime_enter(&engine);
    if (status == NO_ERROR) {
        struct queue *queue = queue_find(engine, RequestQueueHandle);
        status = queue == NULL ? ERROR_INVALID_PARAMETER
                               : queue_set_property(queue, Property, PropertyInformation,
                                                    PropertyInformationLength);
        lifetime_leave(engine);
    }
    return status;
}

ULONG WINAPI HttpQueryRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                           PVOID PropertyInformation,
                                           ULONG PropertyInformationLength, ULONG Reserved1,
                                           PULONG ReturnLength, PVOID Reserved2)
{
    struct engine *engine = NULL;
    ULONG needed = 0;
    if (Reserved1 != 0 || Reserved2 != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    ULONG status = lifetime_enter(&engine);
    if (status != NO_ERROR) {
        return status;
    }
    const struct queue *queue = queue_find(engine, RequestQueueHandle);
    status = queue == NULL ? ERROR_INVALID_PARAMETER
                           : queue_query_property(queue, Property, PropertyInformation,
                                                  PropertyInformationLength, &needed);
    if (ReturnLength != NULL && (status == NO_ERROR || status == ERROR_MORE_DATA)) {
        *ReturnLength = needed;
    }
    lifetime_leave(engine);
    return status;
}
