/* The recording fake: initialisation, sessions, groups, URLs, queues and their properties, as
 * httpapi.h documents them. */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t queue_id(HANDLE queue)
{
    return (uint64_t)(uintptr_t)queue;
}

/* The open object of that id. NULL: notes the violation (closed: used or closed again; else
 * unknown). */
static struct fake_object *open_object(struct fake_record *record, enum fake_kind kind, uint64_t id)
{
    struct fake_object *object = fake_find_locked(kind, id);
    if (object != NULL) {
        snprintf(record->object, sizeof record->object, "%s %u", fake_kind_name(kind),
                 fake_number_locked(object));
        record->about = object->id;
    }
    if (object != NULL && object->open) {
        return object;
    }
    fake_violate_locked("%s on a %s %s (id %llx)", record->call,
                        object == NULL ? "never made" : "closed", fake_kind_name(kind),
                        (unsigned long long)id);
    return NULL;
}

static bool made_in_version_2(HTTPAPI_VERSION version)
{
    return version.HttpApiMajorVersion == 2 && version.HttpApiMinorVersion == 0;
}

/* --- initialisation --- */

ULONG WINAPI HttpInitialize(HTTPAPI_VERSION Version, ULONG Flags, PVOID pReserved)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpInitialize", "flags %u", (unsigned)Flags);
    if (record->injected) {
        return fake_end(record, record->result);
    }
    const ULONG known = HTTP_INITIALIZE_SERVER | HTTP_INITIALIZE_CONFIG;
    if (Flags == 0 || (Flags & ~known) != 0 || pReserved != NULL ||
        Version.HttpApiMajorVersion == 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    fake.server_count += (Flags & HTTP_INITIALIZE_SERVER) != 0;
    fake.config_count += (Flags & HTTP_INITIALIZE_CONFIG) != 0;
    return fake_end(record, NO_ERROR);
}

/* What the last SERVER terminate finds open is a leak, in any kind. It is closed by force, as the
 * engine does. */
static void close_leftovers_locked(void)
{
    for (size_t i = 0; i < fake.object_count; i++) {
        struct fake_object *object = fake.object[i];
        if (!object->open) {
            continue;
        }
        object->open = false;
        if (!object->close_tried) {
            fake_violate_locked("%s %u (%s) was open at HttpTerminate",
                                fake_kind_name(object->kind), fake_number_locked(object),
                                object->url != NULL ? object->url : "-");
        }
        if (object->kind == FAKE_QUEUE) {
            fake_end_queue_locked(object, true);
        }
    }
}

ULONG WINAPI HttpTerminate(ULONG Flags, PVOID pReserved)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpTerminate", "flags %u", (unsigned)Flags);
    bool server = (Flags & HTTP_INITIALIZE_SERVER) != 0,
         config = (Flags & HTTP_INITIALIZE_CONFIG) != 0;
    if (record->injected) {
        fake.terminate_failed = true;
        return fake_end(record, record->result);
    }
    bool unmatched = (server && fake.server_count == 0) || (config && fake.config_count == 0);
    if (unmatched || (!server && !config) || pReserved != NULL) {
        fake_violate_locked("HttpTerminate(flags %u) without a matching HttpInitialize",
                            (unsigned)Flags);
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    fake.server_count -= server;
    fake.config_count -= config;
    if (server && fake.server_count == 0) {
        close_leftovers_locked();
    }
    return fake_end(record, NO_ERROR);
}

/* --- sessions and groups --- */

ULONG WINAPI HttpCreateServerSession(HTTPAPI_VERSION Version,
                                     PHTTP_SERVER_SESSION_ID ServerSessionId, ULONG Reserved)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCreateServerSession", "session");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    if (!made_in_version_2(Version)) {
        return fake_end(record, ERROR_REVISION_MISMATCH);
    }
    if (ServerSessionId == NULL || Reserved != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_object *session = fake_add_object_locked(FAKE_SESSION, NULL);
    snprintf(record->object, sizeof record->object, "session %u", fake_number_locked(session));
    record->about = session->id;
    *ServerSessionId = session->id;
    return fake_end(record, NO_ERROR);
}

/* Open children of an object: the closing of their parent came too early. They are closed with it,
 * as documented. */
static void close_children_locked(struct fake_object *parent, const char *call)
{
    for (size_t i = fake.object_count; i-- > 0;) {
        struct fake_object *child = fake.object[i];
        if (!child->open || child->parent != parent) {
            continue;
        }
        if (!child->close_tried) {
            fake_violate_locked("%s %u before its %s %u (%s)", call, fake_number_locked(parent),
                                fake_kind_name(child->kind), fake_number_locked(child),
                                child->url != NULL ? child->url : "-");
        }
        child->open = false;
        close_children_locked(child, call);
    }
}

/* A close of any kind. found: NULL when it does not exist or is closed. */
static ULONG close_object(struct fake_record *record, struct fake_object *found, bool injected,
                          ULONG missing)
{
    if (found == NULL) {
        return injected ? record->result : missing;
    }
    if (found->close_tried) {
        fake_violate_locked("%s %s for the second time", record->call, record->object);
    }
    if (injected) {
        found->close_tried = true;
        return record->result;
    }
    close_children_locked(found, record->call);
    found->open = false;
    return NO_ERROR;
}

ULONG WINAPI HttpCloseServerSession(HTTP_SERVER_SESSION_ID ServerSessionId)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCloseServerSession", "session ?");
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *session = open_object(record, FAKE_SESSION, ServerSessionId);
    return fake_end(record,
                    close_object(record, session, record->injected, ERROR_INVALID_PARAMETER));
}

ULONG WINAPI HttpCreateUrlGroup(HTTP_SERVER_SESSION_ID ServerSessionId,
                                PHTTP_URL_GROUP_ID pUrlGroupId, ULONG Reserved)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCreateUrlGroup", "group");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *session = open_object(record, FAKE_SESSION, ServerSessionId);
    if (session == NULL || pUrlGroupId == NULL || Reserved != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    fake_detail_locked(record, "in session %u", fake_number_locked(session));
    struct fake_object *group = fake_add_object_locked(FAKE_GROUP, session);
    snprintf(record->object, sizeof record->object, "group %u", fake_number_locked(group));
    record->about = group->id;
    *pUrlGroupId = group->id;
    return fake_end(record, NO_ERROR);
}

ULONG WINAPI HttpCloseUrlGroup(HTTP_URL_GROUP_ID UrlGroupId)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCloseUrlGroup", "group ?");
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *group = open_object(record, FAKE_GROUP, UrlGroupId);
    return fake_end(record, close_object(record, group, record->injected, ERROR_INVALID_PARAMETER));
}

/* --- URLs --- */

/* Length without final slashes: a path with and without them is the same prefix. */
static size_t trimmed(const char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_prefix(const char *a, const char *b)
{
    size_t len = trimmed(a);
    if (len != trimmed(b)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

/* scheme "://" host ":" port "/": enough of the grammar to refuse what a ledger may never pass on.
 */
static bool well_formed(const char *url)
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;
    if (host == NULL || strchr(url, '?') != NULL) {
        return false;
    }
    const char *end = *host == '[' ? strchr(host, ']') : host;
    const char *colon = end != NULL ? strchr(end, ':') : NULL;
    const char *slash = colon != NULL ? strchr(colon, '/') : NULL;
    if (slash == NULL || colon == host || colon[1] < '1' || colon[1] > '9') {
        return false;
    }
    for (const char *digit = colon + 1; digit < slash; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
    }
    return slash - colon <= 6;
}

static struct fake_object *find_url_locked(const struct fake_object *group, const char *url,
                                           bool open)
{
    for (size_t i = fake.object_count; i-- > 0;) {
        struct fake_object *object = fake.object[i];
        bool here = group == NULL || object->parent == group;
        if (object->kind == FAKE_URL && object->open == open && here &&
            same_prefix(object->url, url)) {
            return object;
        }
    }
    return NULL;
}

static ULONG add_url_locked(struct fake_record *record, HTTP_URL_GROUP_ID id, PCWSTR url,
                            HTTP_URL_CONTEXT context, bool move)
{
    struct fake_object *group = fake_find_locked(FAKE_GROUP, id);
    if (group == NULL || !group->open) {
        fake_violate_locked("HttpAddUrlToUrlGroup %s to a group that is not open", url);
        return ERROR_INVALID_PARAMETER;
    }
    fake_detail_locked(record, "group %u context %llx", fake_number_locked(group),
                       (unsigned long long)context);
    if (!well_formed(url)) {
        return ERROR_INVALID_PARAMETER;
    }
    struct fake_object *before = find_url_locked(NULL, url, true);
    if (before != NULL && (!move || before->parent == group)) {
        return ERROR_ALREADY_EXISTS;
    }
    if (fake.refuse_part != NULL && strstr(url, fake.refuse_part) != NULL) {
        return fake.refuse_code;
    }
    if (before != NULL) {
        before->open = false; /* moved away */
    }
    struct fake_object *object = fake_add_object_locked(FAKE_URL, group);
    object->url = fake_copy(url, strlen(url));
    object->context = context;
    record->about = object->id;
    return NO_ERROR;
}

ULONG WINAPI HttpAddUrlToUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                  HTTP_URL_CONTEXT UrlContext, ULONG Reserved)
{
    fake_lock();
    const char *url = pFullyQualifiedUrl != NULL ? pFullyQualifiedUrl : "";
    struct fake_record *record = fake_begin_locked("HttpAddUrlToUrlGroup", "%s", url);
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    if ((Reserved & ~HTTP_URL_FLAG_MOVE) != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    return fake_end(record, add_url_locked(record, UrlGroupId, url, UrlContext,
                                           Reserved == HTTP_URL_FLAG_MOVE));
}

static ULONG remove_all_locked(struct fake_object *group)
{
    for (size_t i = fake.object_count; i-- > 0;) {
        if (fake.object[i]->kind == FAKE_URL && fake.object[i]->parent == group) {
            fake.object[i]->open = false;
        }
    }
    return NO_ERROR;
}

static ULONG remove_url_locked(struct fake_record *record, struct fake_object *group,
                               const char *url)
{
    struct fake_object *found = find_url_locked(group, url, true);
    if (found == NULL) {
        fake_violate_locked("HttpRemoveUrlFromUrlGroup %s: %s", url,
                            find_url_locked(group, url, false) != NULL ? "removed before"
                                                                       : "never registered here");
    } else {
        record->about = found->id;
    }
    return close_object(record, found, record->injected, ERROR_FILE_NOT_FOUND);
}

ULONG WINAPI HttpRemoveUrlFromUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                       ULONG Flags)
{
    fake_lock();
    const char *url = pFullyQualifiedUrl != NULL ? pFullyQualifiedUrl : "";
    struct fake_record *record = fake_begin_locked("HttpRemoveUrlFromUrlGroup", "%s", url);
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *group = fake_find_locked(FAKE_GROUP, UrlGroupId);
    bool all = Flags == HTTP_URL_FLAG_REMOVE_ALL;
    if (group == NULL || !group->open) {
        fake_violate_locked("HttpRemoveUrlFromUrlGroup %s from a group that is not open", url);
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    fake_detail_locked(record, "group %u", fake_number_locked(group));
    if ((Flags & ~(ULONG)HTTP_URL_FLAG_REMOVE_ALL) != 0 || all != (pFullyQualifiedUrl == NULL)) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    if (all) {
        return fake_end(record, record->injected ? record->result : remove_all_locked(group));
    }
    return fake_end(record, remove_url_locked(record, group, url));
}

/* --- queues --- */

ULONG WINAPI HttpCreateRequestQueue(HTTPAPI_VERSION Version, PCWSTR Name,
                                    PSECURITY_ATTRIBUTES SecurityAttributes, ULONG Flags,
                                    PHANDLE RequestQueueHandle)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCreateRequestQueue", "queue");
    if (record->injected) {
        return fake_end(record, record->result);
    }
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    if (!made_in_version_2(Version)) {
        return fake_end(record, ERROR_REVISION_MISMATCH);
    }
    if (RequestQueueHandle == NULL || SecurityAttributes != NULL || Flags != 0) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    struct fake_object *queue = fake_add_object_locked(FAKE_QUEUE, NULL);
    snprintf(record->object, sizeof record->object, "queue %u", fake_number_locked(queue));
    record->about = queue->id;
    fake_detail_locked(record, "name %s", Name != NULL ? Name : "-");
    *RequestQueueHandle = (HANDLE)(uintptr_t)queue->id;
    return fake_end(record, NO_ERROR);
}

static void unbind_groups_locked(struct fake_object *queue)
{
    for (size_t i = 0; i < fake.object_count; i++) {
        struct fake_object *group = fake.object[i];
        if (group->kind != FAKE_GROUP || group->queue != queue) {
            continue;
        }
        if (group->open && !group->close_tried && !group->unbind_tried) {
            fake_violate_locked("HttpCloseRequestQueue %u while group %u is bound to it",
                                fake_number_locked(queue), fake_number_locked(group));
        }
        group->queue = NULL;
    }
}

ULONG WINAPI HttpCloseRequestQueue(HANDLE RequestQueueHandle)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpCloseRequestQueue", "queue ?");
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *queue = open_object(record, FAKE_QUEUE, queue_id(RequestQueueHandle));
    ULONG result = close_object(record, queue, record->injected, ERROR_INVALID_PARAMETER);
    if (queue != NULL) {
        unbind_groups_locked(queue);
    }
    if (queue != NULL && result == NO_ERROR) {
        fake_end_queue_locked(queue, true);
    }
    return fake_end(record, result);
}

ULONG WINAPI HttpShutdownRequestQueue(HANDLE RequestQueueHandle)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked("HttpShutdownRequestQueue", "queue ?");
    if (!fake_ready_locked(record->call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *queue = open_object(record, FAKE_QUEUE, queue_id(RequestQueueHandle));
    if (queue == NULL || record->injected) {
        return fake_end(record, queue == NULL ? (ULONG)ERROR_INVALID_PARAMETER : record->result);
    }
    queue->shut_down = true;
    fake_end_queue_locked(queue, false);
    return fake_end(record, NO_ERROR);
}

/* --- properties --- */

static const char *property_name(HTTP_SERVER_PROPERTY property)
{
    switch ((int)property) {
    case HttpServerQosProperty: return "qos";
    case HttpServerTimeoutsProperty: return "timeouts";
    case HttpServerQueueLengthProperty: return "length";
    case HttpServerStateProperty: return "state";
    case HttpServer503VerbosityProperty: return "verbosity";
    case HttpServerBindingProperty: return "binding";
    default: return "other";
    }
}

static ULONG bind_group_locked(struct fake_record *record, struct fake_object *group,
                               const HTTP_BINDING_INFO *info)
{
    if (info->RequestQueueHandle == NULL) {
        fake_detail_locked(record, "binding none");
        group->queue = NULL;
        return NO_ERROR;
    }
    struct fake_object *queue = fake_find_locked(FAKE_QUEUE, queue_id(info->RequestQueueHandle));
    if (queue == NULL || !queue->open) {
        fake_violate_locked("group %u is bound to a queue that is not open",
                            fake_number_locked(group));
        return ERROR_INVALID_PARAMETER;
    }
    fake_detail_locked(record, "binding queue %u", fake_number_locked(queue));
    group->queue = queue;
    return NO_ERROR;
}

static ULONG set_property(const char *call, enum fake_kind kind, uint64_t id,
                          HTTP_SERVER_PROPERTY property, const void *information, ULONG length)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked(call, "%s ?", fake_kind_name(kind));
    if (!fake_ready_locked(call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *object = open_object(record, kind, id);
    fake_detail_locked(record, "%s", property_name(property));
    bool valid = object != NULL && information != NULL && length > 0 &&
                 length <= FAKE_PROPERTY_MAX && (unsigned)property < FAKE_PROPERTY_COUNT;
    if (valid && record->injected && property == HttpServerBindingProperty) {
        object->unbind_tried = true;
    }
    if (!valid || record->injected) {
        return fake_end(record, record->injected ? record->result : (ULONG)ERROR_INVALID_PARAMETER);
    }
    bool binding = property == HttpServerBindingProperty;
    if (binding && (kind != FAKE_GROUP || length != sizeof(HTTP_BINDING_INFO))) {
        return fake_end(record, ERROR_INVALID_PARAMETER);
    }
    ULONG result = binding ? bind_group_locked(record, object, information) : NO_ERROR;
    if (result == NO_ERROR) {
        memcpy(object->property[property].bytes, information, length);
        object->property[property].len = length;
    }
    return fake_end(record, result);
}

/* Gives back what was set; never set: zeroes. */
static ULONG query_property(const char *call, enum fake_kind kind, uint64_t id,
                            HTTP_SERVER_PROPERTY property, void *information, ULONG length,
                            ULONG *needed)
{
    fake_lock();
    struct fake_record *record = fake_begin_locked(call, "%s ?", fake_kind_name(kind));
    if (!fake_ready_locked(call)) {
        return fake_end(record, ERROR_DLL_INIT_FAILED);
    }
    struct fake_object *object = open_object(record, kind, id);
    fake_detail_locked(record, "%s", property_name(property));
    if (record->injected || object == NULL || information == NULL ||
        (unsigned)property >= FAKE_PROPERTY_COUNT) {
        return fake_end(record, record->injected ? record->result : (ULONG)ERROR_INVALID_PARAMETER);
    }
    const struct fake_property *kept = &object->property[property];
    if (needed != NULL) {
        *needed = kept->len > 0 ? kept->len : length;
    }
    if (kept->len > length) {
        return fake_end(record, ERROR_MORE_DATA);
    }
    memset(information, 0, length);
    memcpy(information, kept->bytes, kept->len);
    return fake_end(record, NO_ERROR);
}

ULONG WINAPI HttpSetServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                          HTTP_SERVER_PROPERTY Property, PVOID PropertyInformation,
                                          ULONG PropertyInformationLength)
{
    return set_property("HttpSetServerSessionProperty", FAKE_SESSION, ServerSessionId, Property,
                        PropertyInformation, PropertyInformationLength);
}

ULONG WINAPI HttpQueryServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId,
                                            HTTP_SERVER_PROPERTY Property,
                                            PVOID PropertyInformation,
                                            ULONG PropertyInformationLength, PULONG ReturnLength)
{
    return query_property("HttpQueryServerSessionProperty", FAKE_SESSION, ServerSessionId, Property,
                          PropertyInformation, PropertyInformationLength, ReturnLength);
}

ULONG WINAPI HttpSetUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                     PVOID PropertyInformation, ULONG PropertyInformationLength)
{
    return set_property("HttpSetUrlGroupProperty", FAKE_GROUP, UrlGroupId, Property,
                        PropertyInformation, PropertyInformationLength);
}

ULONG WINAPI HttpQueryUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                       PVOID PropertyInformation, ULONG PropertyInformationLength,
                                       PULONG ReturnLength)
{
    return query_property("HttpQueryUrlGroupProperty", FAKE_GROUP, UrlGroupId, Property,
                          PropertyInformation, PropertyInformationLength, ReturnLength);
}

ULONG WINAPI HttpSetRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                         PVOID PropertyInformation, ULONG PropertyInformationLength,
                                         ULONG Reserved1, PVOID Reserved2)
{
    if (Reserved1 != 0 || Reserved2 != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    return set_property("HttpSetRequestQueueProperty", FAKE_QUEUE, queue_id(RequestQueueHandle),
                        Property, PropertyInformation, PropertyInformationLength);
}

ULONG WINAPI HttpQueryRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                           PVOID PropertyInformation,
                                           ULONG PropertyInformationLength, ULONG Reserved1,
                                           PULONG ReturnLength, PVOID Reserved2)
{
    if (Reserved1 != 0 || Reserved2 != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    return query_property("HttpQueryRequestQueueProperty", FAKE_QUEUE, queue_id(RequestQueueHandle),
                          Property, PropertyInformation, PropertyInformationLength, ReturnLength);
}
