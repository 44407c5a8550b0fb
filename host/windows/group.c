/* Sessions, groups and URLs: the system's, and beside them a list of what is registered where.
 *
 * The list is needed where a group takes one URL only (Wine): each further URL then gets a hidden
 * group in the same session, bound to the same queue, which lives as long as the URL. It also lets
 * an object that is closed give back its URLs first, where the system would leak them or end the
 * process over an id that is closed already. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "windows/httpsys.h"

struct url {
    struct url *next;
    HTTP_URL_GROUP_ID native; /* where it is registered: the group, or a hidden one */
    WCHAR text[];
};

struct group {
    struct group *next;
    HTTP_URL_GROUP_ID id;
    HTTP_SERVER_SESSION_ID session;
    HTTP_BINDING_INFO binding; /* as last set */
    struct url *urls;          /* newest first */
};

/* The process record of this file. */
static struct {
    SRWLOCK lock;
    struct group *groups;
} record = {.lock = SRWLOCK_INIT};

static struct group *find_group(HTTP_URL_GROUP_ID id)
{
    struct group *group = record.groups;
    while (group != NULL && group->id != id) {
        group = group->next;
    }
    return group;
}

/* --- URLs ---------------------------------------------------------------------------------------
 */

/* What would be accepted and never work. */
static ULONG refuse_url(PCWSTR url)
{
    if (!httpsys()->is_wine || url == NULL) {
        return NO_ERROR;
    }
    bool lacks = wcsncmp(url, L"https:", 6) == 0 || wcsncmp(url, L"http://*", 8) == 0 ||
                 wcsncmp(url, L"http://[", 8) == 0;
    return lacks ? ERROR_NOT_SUPPORTED : NO_ERROR;
}

static bool is_main_free(const struct group *group)
{
    for (const struct url *url = group->urls; url != NULL; url = url->next) {
        if (url->native == group->id) {
            return false;
        }
    }
    return true;
}

/* A group of its own for one URL. */
static ULONG add_hidden(const struct group *group, struct url *url, HTTP_URL_CONTEXT context)
{
    const struct httpsys *api = httpsys();
    ULONG code = api->HttpCreateUrlGroup(group->session, &url->native, 0);
    if (code != NO_ERROR) {
        return code;
    }
    if (group->binding.Flags.Present) {
        HTTP_BINDING_INFO binding = group->binding;
        code = api->HttpSetUrlGroupProperty(url->native, HttpServerBindingProperty, &binding,
                                            sizeof binding);
    }
    if (code == NO_ERROR) {
        code = api->HttpAddUrlToUrlGroup(url->native, url->text, context, 0);
    }
    if (code != NO_ERROR) {
        (void)api->HttpCloseUrlGroup(url->native); /* empty: cannot fail */
    }
    return code;
}

static ULONG add_url(struct group *group, PCWSTR text, HTTP_URL_CONTEXT context, ULONG reserved)
{
    const struct httpsys *api = httpsys();
    size_t units = wcslen(text) + 1;
    struct url *url = malloc(sizeof *url + units * sizeof url->text[0]);
    if (url == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    memcpy(url->text, text, units * sizeof url->text[0]);
    url->native = group->id;
    ULONG code = ERROR_CALL_NOT_IMPLEMENTED;
    if (!api->is_wine || is_main_free(group)) {
        code = api->HttpAddUrlToUrlGroup(group->id, text, context, reserved);
    }
    if (code == ERROR_CALL_NOT_IMPLEMENTED && !is_main_free(group)) {
        code = add_hidden(group, url, context);
    }
    if (code != NO_ERROR) {
        free(url);
        return code;
    }
    url->next = group->urls;
    group->urls = url;
    return NO_ERROR;
}

ULONG WINAPI HttpAddUrlToUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                  HTTP_URL_CONTEXT UrlContext, ULONG Reserved)
{
    const struct httpsys *api = httpsys();
    ULONG code =
        api->HttpAddUrlToUrlGroup == NULL ? ERROR_NOT_SUPPORTED : refuse_url(pFullyQualifiedUrl);
    if (code != NO_ERROR) {
        return code;
    }
    AcquireSRWLockExclusive(&record.lock);
    struct group *group = find_group(UrlGroupId);
    if (group != NULL && pFullyQualifiedUrl != NULL) {
        code = add_url(group, pFullyQualifiedUrl, UrlContext, Reserved);
    } else {
        code = api->is_wine ? ERROR_INVALID_PARAMETER
                            : api->HttpAddUrlToUrlGroup(UrlGroupId, pFullyQualifiedUrl, UrlContext,
                                                        Reserved);
    }
    ReleaseSRWLockExclusive(&record.lock);
    return httpsys_code(code);
}

/* Takes *at out of its list and out of the system. */
static ULONG remove_at(const struct group *group, struct url **at, ULONG flags)
{
    const struct httpsys *api = httpsys();
    struct url *url = *at;
    ULONG code = api->HttpRemoveUrlFromUrlGroup(url->native, url->text, flags);
    if (url->native != group->id) {
        ULONG closed = api->HttpCloseUrlGroup(url->native);
        code = code == NO_ERROR ? closed : code;
    }
    *at = url->next;
    free(url);
    return code;
}

static ULONG remove_all(struct group *group)
{
    ULONG code = NO_ERROR;
    while (group->urls != NULL) {
        ULONG one = remove_at(group, &group->urls, 0);
        code = code == NO_ERROR ? one : code;
    }
    return code;
}

/* The list forgets what the system has removed by itself. */
static void forget_all(struct group *group)
{
    while (group->urls != NULL) {
        struct url *url = group->urls;
        group->urls = url->next;
        free(url);
    }
}

static ULONG remove_url(struct group *group, PCWSTR text, ULONG flags)
{
    const struct httpsys *api = httpsys();
    if (flags == HTTP_URL_FLAG_REMOVE_ALL && text == NULL) {
        if (api->is_wine) {
            return remove_all(group);
        }
        forget_all(group);
        return api->HttpRemoveUrlFromUrlGroup(group->id, NULL, flags);
    }
    for (struct url **at = &group->urls; text != NULL && *at != NULL; at = &(*at)->next) {
        if (wcscmp((*at)->text, text) == 0) {
            return remove_at(group, at, flags);
        }
    }
    if (!api->is_wine) {
        return api->HttpRemoveUrlFromUrlGroup(group->id, text, flags);
    }
    return text == NULL || flags != 0 ? ERROR_INVALID_PARAMETER : ERROR_FILE_NOT_FOUND;
}

ULONG WINAPI HttpRemoveUrlFromUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, PCWSTR pFullyQualifiedUrl,
                                       ULONG Flags)
{
    const struct httpsys *api = httpsys();
    ULONG code = ERROR_INVALID_PARAMETER;
    if (api->HttpRemoveUrlFromUrlGroup == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    AcquireSRWLockExclusive(&record.lock);
    struct group *group = find_group(UrlGroupId);
    if (group != NULL) {
        code = remove_url(group, pFullyQualifiedUrl, Flags);
    } else if (!api->is_wine) {
        code = api->HttpRemoveUrlFromUrlGroup(UrlGroupId, pFullyQualifiedUrl, Flags);
    }
    ReleaseSRWLockExclusive(&record.lock);
    return httpsys_code(code);
}

/* --- groups -------------------------------------------------------------------------------------
 */

ULONG WINAPI HttpCreateUrlGroup(HTTP_SERVER_SESSION_ID ServerSessionId,
                                PHTTP_URL_GROUP_ID pUrlGroupId, ULONG Reserved)
{
    const struct httpsys *api = httpsys();
    struct group *group = calloc(1, sizeof *group);
    if (group == NULL || api->HttpCreateUrlGroup == NULL) {
        free(group);
        return api->HttpCreateUrlGroup == NULL ? ERROR_NOT_SUPPORTED : ERROR_NOT_ENOUGH_MEMORY;
    }
    AcquireSRWLockExclusive(&record.lock);
    ULONG code = api->HttpCreateUrlGroup(ServerSessionId, pUrlGroupId, Reserved);
    if (code == NO_ERROR) {
        group->id = *pUrlGroupId;
        group->session = ServerSessionId;
        group->next = record.groups;
        record.groups = group;
    }
    ReleaseSRWLockExclusive(&record.lock);
    if (code != NO_ERROR) {
        free(group);
    }
    return httpsys_code(code);
}

/* Takes a group out of the list; its URLs are given back where the system would not. */
static void drop_group(struct group *group)
{
    struct group **at = &record.groups;
    while (*at != group) {
        at = &(*at)->next;
    }
    *at = group->next;
    if (httpsys()->is_wine) {
        (void)remove_all(group); /* the group goes whatever they say */
    } else {
        forget_all(group);
    }
    free(group);
}

ULONG WINAPI HttpCloseUrlGroup(HTTP_URL_GROUP_ID UrlGroupId)
{
    const struct httpsys *api = httpsys();
    ULONG code = ERROR_INVALID_PARAMETER;
    if (api->HttpCloseUrlGroup == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    AcquireSRWLockExclusive(&record.lock);
    struct group *group = find_group(UrlGroupId);
    if (group != NULL) {
        drop_group(group);
    }
    if (group != NULL || !api->is_wine) {
        code = api->HttpCloseUrlGroup(UrlGroupId);
    }
    ReleaseSRWLockExclusive(&record.lock);
    return httpsys_code(code);
}

ULONG WINAPI HttpSetUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                     PVOID PropertyInformation, ULONG PropertyInformationLength)
{
    const struct httpsys *api = httpsys();
    if (api->HttpSetUrlGroupProperty == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    AcquireSRWLockExclusive(&record.lock);
    struct group *group = find_group(UrlGroupId);
    ULONG code = ERROR_INVALID_PARAMETER;
    if (group != NULL || !api->is_wine) {
        code = api->HttpSetUrlGroupProperty(UrlGroupId, Property, PropertyInformation,
                                            PropertyInformationLength);
    }
    if (code == NO_ERROR && group != NULL) {
        if (Property == HttpServerBindingProperty) {
            memcpy(&group->binding, PropertyInformation, sizeof group->binding);
        }
        for (const struct url *url = group->urls; url != NULL && code == NO_ERROR;
             url = url->next) {
            if (url->native != group->id) {
                code = api->HttpSetUrlGroupProperty(url->native, Property, PropertyInformation,
                                                    PropertyInformationLength);
            }
        }
    }
    ReleaseSRWLockExclusive(&record.lock);
    return httpsys_code(code);
}

void group_deactivate_all(void)
{
    const struct httpsys *api = httpsys();
    if (api->is_wine || api->HttpSetUrlGroupProperty == NULL) {
        return; /* refused there */
    }
    AcquireSRWLockExclusive(&record.lock);
    for (const struct group *group = record.groups; group != NULL; group = group->next) {
        HTTP_STATE_INFO state = {.Flags = {.Present = 1}, .State = HttpEnabledStateInactive};
        (void)api->HttpSetUrlGroupProperty(group->id, HttpServerStateProperty, &state,
                                           sizeof state); /* its URLs go soon in any case */
    }
    ReleaseSRWLockExclusive(&record.lock);
}

/* --- sessions -----------------------------------------------------------------------------------
 */

ULONG WINAPI HttpCloseServerSession(HTTP_SERVER_SESSION_ID ServerSessionId)
{
    const struct httpsys *api = httpsys();
    if (api->HttpCloseServerSession == NULL) {
        return ERROR_NOT_SUPPORTED;
    }
    AcquireSRWLockExclusive(&record.lock);
    for (struct group *group = record.groups; group != NULL;) {
        struct group *next = group->next;
        if (group->session == ServerSessionId) {
            drop_group(group);
        }
        group = next;
    }
    ULONG code = api->HttpCloseServerSession(ServerSessionId);
    ReleaseSRWLockExclusive(&record.lock);
    return httpsys_code(code);
}
