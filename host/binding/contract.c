#include "binding/contract.h"

#include "api/text.h"
#include "binding/ledger.h"

void contract_note(const struct contract *c, const char *call, const char *object, ULONG result)
{
    if (c->trace != NULL) {
        c->trace(c->ctx, call, object, result);
    }
}

/* Tells the trace and hands the result on. */
static ULONG noted(const struct contract *c, const char *call, const char *object, ULONG result)
{
    contract_note(c, call, object, result);
    return result;
}

static const char *flags_label(ULONG flags)
{
    switch (flags) {
    case HTTP_INITIALIZE_SERVER: return "server";
    case HTTP_INITIALIZE_CONFIG: return "config";
    default: return "server+config";
    }
}

ULONG contract_initialize(const struct contract *c, ULONG flags)
{
    HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    return noted(c, "HttpInitialize", flags_label(flags), HttpInitialize(version, flags, NULL));
}

ULONG contract_terminate(const struct contract *c, ULONG flags)
{
    return noted(c, "HttpTerminate", flags_label(flags), HttpTerminate(flags, NULL));
}

ULONG contract_create_session(const struct contract *c, const char *label,
                              HTTP_SERVER_SESSION_ID *id)
{
    HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    return noted(c, "HttpCreateServerSession", label, HttpCreateServerSession(version, id, 0));
}

ULONG contract_close_session(const struct contract *c, const char *label, HTTP_SERVER_SESSION_ID id)
{
    return noted(c, "HttpCloseServerSession", label, HttpCloseServerSession(id));
}

ULONG contract_create_group(const struct contract *c, const char *label,
                            HTTP_SERVER_SESSION_ID session, HTTP_URL_GROUP_ID *id)
{
    return noted(c, "HttpCreateUrlGroup", label, HttpCreateUrlGroup(session, id, 0));
}

ULONG contract_close_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID id)
{
    return noted(c, "HttpCloseUrlGroup", label, HttpCloseUrlGroup(id));
}

ULONG contract_create_queue(const struct contract *c, const char *label, HANDLE *queue)
{
    HTTPAPI_VERSION version = HTTPAPI_VERSION_2;
    return noted(c, "HttpCreateRequestQueue", label,
                 HttpCreateRequestQueue(version, NULL, NULL, 0, queue));
}

ULONG contract_shutdown_queue(const struct contract *c, const char *label, HANDLE queue)
{
    return noted(c, "HttpShutdownRequestQueue", label, HttpShutdownRequestQueue(queue));
}

ULONG contract_close_queue(const struct contract *c, const char *label, HANDLE queue)
{
    return noted(c, "HttpCloseRequestQueue", label, HttpCloseRequestQueue(queue));
}

/* The prefix as contract text and, NUL-terminated, for the trace. */
struct url_text {
    HTTP_CHAR text[LEDGER_PREFIX_BYTES_MAX];
    char label[LEDGER_PREFIX_BYTES_MAX];
};

static ULONG convert_url(struct slice url, struct url_text *out)
{
    size_t needed = 0;
    if (url.len >= sizeof out->label) {
        return ERROR_INVALID_PARAMETER;
    }
    memcpy(out->label, url.p, url.len);
    out->label[url.len] = '\0';
    return text_from_utf8(url.p, url.len, out->text, LEDGER_PREFIX_BYTES_MAX, &needed);
}

ULONG contract_add_url(const struct contract *c, HTTP_URL_GROUP_ID group, struct slice url,
                       HTTP_URL_CONTEXT context, bool move)
{
    struct url_text text;
    ULONG code = convert_url(url, &text);
    if (code != NO_ERROR) {
        return code;
    }
    return noted(c, "HttpAddUrlToUrlGroup", text.label,
                 HttpAddUrlToUrlGroup(group, text.text, context, move ? HTTP_URL_FLAG_MOVE : 0));
}

ULONG contract_remove_url(const struct contract *c, HTTP_URL_GROUP_ID group, struct slice url)
{
    struct url_text text;
    ULONG code = convert_url(url, &text);
    if (code != NO_ERROR) {
        return code;
    }
    return noted(c, "HttpRemoveUrlFromUrlGroup", text.label,
                 HttpRemoveUrlFromUrlGroup(group, text.text, 0));
}

ULONG contract_bind_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID group,
                          HANDLE queue)
{
    HTTP_BINDING_INFO binding = {.Flags = {.Present = 1}, .RequestQueueHandle = queue};
    return contract_set_group(c, label, group, HttpServerBindingProperty, &binding, sizeof binding);
}

ULONG contract_set_session(const struct contract *c, const char *label, HTTP_SERVER_SESSION_ID id,
                           HTTP_SERVER_PROPERTY property, void *value, ULONG bytes)
{
    return noted(c, "HttpSetServerSessionProperty", label,
                 HttpSetServerSessionProperty(id, property, value, bytes));
}

ULONG contract_set_group(const struct contract *c, const char *label, HTTP_URL_GROUP_ID id,
                         HTTP_SERVER_PROPERTY property, void *value, ULONG bytes)
{
    return noted(c, "HttpSetUrlGroupProperty", label,
                 HttpSetUrlGroupProperty(id, property, value, bytes));
}

ULONG contract_set_queue(const struct contract *c, const char *label, HANDLE queue,
                         HTTP_SERVER_PROPERTY property, void *value, ULONG bytes)
{
    return noted(c, "HttpSetRequestQueueProperty", label,
                 HttpSetRequestQueueProperty(queue, property, value, bytes, 0, NULL));
}
