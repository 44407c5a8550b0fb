/* See property.h. */
#include "engine/property.h"

#include <string.h>

static ULONG set_state(struct properties *own, const void *info, ULONG length)
{
    const HTTP_STATE_INFO *state = info;
    if (length < sizeof *state ||
        (state->State != HttpEnabledStateActive && state->State != HttpEnabledStateInactive)) {
        return ERROR_INVALID_PARAMETER;
    }
    own->has_state = state->Flags.Present;
    own->state = state->State;
    return NO_ERROR;
}

static ULONG set_timeouts(struct properties *own, const void *info, ULONG length)
{
    const HTTP_TIMEOUT_LIMIT_INFO *timeouts = info;
    if (length < sizeof *timeouts) {
        return ERROR_INVALID_PARAMETER;
    }
    own->has_timeouts = timeouts->Flags.Present;
    own->timeouts = *timeouts;
    return NO_ERROR;
}

static ULONG set_qos(struct properties *own, enum property_owner owner, const void *info,
                     ULONG length)
{
    const HTTP_QOS_SETTING_INFO *qos = info;
    if (length < sizeof *qos || qos->QosSetting == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    if (qos->QosType == HttpQosSettingTypeConnectionLimit && owner == PROPERTY_OF_GROUP) {
        const HTTP_CONNECTION_LIMIT_INFO *limit = qos->QosSetting;
        own->has_connection_limit = limit->Flags.Present;
        own->connection_limit = limit->MaxConnections;
        return NO_ERROR;
    }
    bool later =
        qos->QosType == HttpQosSettingTypeBandwidth || qos->QosType == HttpQosSettingTypeFlowRate;
    return later ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER;
}

ULONG property_set(struct properties *own, enum property_owner owner, HTTP_SERVER_PROPERTY property,
                   const void *info, ULONG length)
{
    if (info == NULL || length == 0) {
        return ERROR_INVALID_PARAMETER;
    }
    switch (property) {
    case HttpServerStateProperty: return set_state(own, info, length);
    case HttpServerTimeoutsProperty: return set_timeouts(own, info, length);
    case HttpServerQosProperty: return set_qos(own, owner, info, length);
    case HttpServerAuthenticationProperty:
    case HttpServerLoggingProperty:
    case HttpServerExtendedAuthenticationProperty:
    case HttpServerChannelBindProperty: return ERROR_NOT_SUPPORTED;
    case HttpServerListenEndpointProperty:
    case HttpServerProtectionLevelProperty:
    case HttpServerDelegationProperty:
    case HttpServerFastForwardingProperty:
    case HttpServerRequestInfoProperty:
        return owner == PROPERTY_OF_GROUP ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER;
    default: return ERROR_INVALID_PARAMETER;
    }
}

static ULONG give(void *info, ULONG length, ULONG *out_length, const void *value, ULONG bytes)
{
    *out_length = bytes;
    if (info == NULL || length < bytes) {
        return ERROR_MORE_DATA;
    }
    memcpy(info, value, bytes);
    return NO_ERROR;
}

static ULONG query_qos(const struct properties *own, enum property_owner owner, void *info,
                       ULONG length, ULONG *out_length)
{
    HTTP_QOS_SETTING_INFO *qos = info;
    *out_length = sizeof *qos;
    if (info == NULL || length < sizeof *qos) {
        return ERROR_MORE_DATA;
    }
    if (qos->QosType != HttpQosSettingTypeConnectionLimit || owner != PROPERTY_OF_GROUP) {
        return ERROR_NOT_SUPPORTED;
    }
    if (qos->QosSetting == NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    HTTP_CONNECTION_LIMIT_INFO limit = {
        .Flags.Present = own->has_connection_limit,
        .MaxConnections = own->has_connection_limit ? own->connection_limit : HTTP_LIMIT_INFINITE};
    memcpy(qos->QosSetting, &limit, sizeof limit);
    return NO_ERROR;
}

ULONG property_query(const struct properties *own, enum property_owner owner,
                     HTTP_SERVER_PROPERTY property, void *info, ULONG length, ULONG *out_length)
{
    *out_length = 0;
    if (property == HttpServerStateProperty) {
        HTTP_STATE_INFO state = {.Flags.Present = own->has_state, .State = own->state};
        return give(info, length, out_length, &state, sizeof state);
    }
    if (property == HttpServerTimeoutsProperty) {
        HTTP_TIMEOUT_LIMIT_INFO timeouts = own->timeouts;
        timeouts.Flags.Present = own->has_timeouts;
        return give(info, length, out_length, &timeouts, sizeof timeouts);
    }
    if (property == HttpServerQosProperty) {
        return query_qos(own, owner, info, length, out_length);
    }
    /* Logging can be set only; the others are not built yet, so there is nothing to tell. */
    return property == HttpServerAuthenticationProperty ||
                   property == HttpServerExtendedAuthenticationProperty ||
                   property == HttpServerChannelBindProperty
               ? ERROR_NOT_SUPPORTED
               : ERROR_INVALID_PARAMETER;
}

/* 0 = not set: the next level decides. */
static uint32_t pick_seconds(USHORT group, USHORT session)
{
    uint32_t seconds = group != 0 ? group : session != 0 ? session : PROPERTY_TIMEOUT_DEFAULT_S;
    return seconds == PROPERTY_TIMEOUT_OFF ? 0 : seconds;
}

static uint32_t pick_rate(ULONG group, ULONG session)
{
    uint32_t rate = group != 0 ? group : session != 0 ? session : PROPERTY_MIN_SEND_RATE_DEFAULT;
    return rate == MAXULONG ? 0 : rate;
}

void property_compute_effective(const struct properties *group, const struct properties *session,
                                struct effective *out)
{
    static const struct properties none = {0};
    const struct properties *above = session == NULL ? &none : session;
    const HTTP_TIMEOUT_LIMIT_INFO g = group->has_timeouts ? group->timeouts : none.timeouts;
    const HTTP_TIMEOUT_LIMIT_INFO s = above->has_timeouts ? above->timeouts : none.timeouts;
    bool inactive = (group->has_state && group->state == HttpEnabledStateInactive) ||
                    (above->has_state && above->state == HttpEnabledStateInactive);
    atomic_store(&out->active, !inactive);
    atomic_store(&out->entity_body_s, pick_seconds(g.EntityBody, s.EntityBody));
    atomic_store(&out->drain_entity_body_s, pick_seconds(g.DrainEntityBody, s.DrainEntityBody));
    atomic_store(&out->request_queue_s, pick_seconds(g.RequestQueue, s.RequestQueue));
    atomic_store(&out->idle_connection_s, pick_seconds(g.IdleConnection, s.IdleConnection));
    atomic_store(&out->header_wait_s, pick_seconds(g.HeaderWait, s.HeaderWait));
    atomic_store(&out->min_send_rate, pick_rate(g.MinSendRate, s.MinSendRate));
    atomic_store(&out->connection_limit,
                 group->has_connection_limit ? group->connection_limit : UINT32_MAX);
}
