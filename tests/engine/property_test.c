/* Properties of sessions and groups: what may be set where, what comes back, and what is in force
 * when both levels or none have a value. */
#include "support/cmocka_all.h"

#include <string.h>

#include "engine/property.h"

static const enum property_owner SESSION = PROPERTY_OF_SESSION, GROUP = PROPERTY_OF_GROUP;

static void set_timeouts(struct properties *own, bool present, HTTP_TIMEOUT_LIMIT_INFO timeouts)
{
    timeouts.Flags.Present = present;
    assert_int_equal(
        property_set(own, GROUP, HttpServerTimeoutsProperty, &timeouts, sizeof timeouts), NO_ERROR);
}

static void property_nothing_set_gives_the_defaults(void **state)
{
    (void)state;
    const struct properties none = {0};
    struct effective effective;
    for (int with_session = 0; with_session < 2; with_session++) {
        property_compute_effective(&none, with_session ? &none : NULL, &effective);
        assert_int_equal(effective.active, 1);
        assert_int_equal(effective.entity_body_s, PROPERTY_TIMEOUT_DEFAULT_S);
        assert_int_equal(effective.drain_entity_body_s, PROPERTY_TIMEOUT_DEFAULT_S);
        assert_int_equal(effective.request_queue_s, PROPERTY_TIMEOUT_DEFAULT_S);
        assert_int_equal(effective.idle_connection_s, PROPERTY_TIMEOUT_DEFAULT_S);
        assert_int_equal(effective.header_wait_s, PROPERTY_TIMEOUT_DEFAULT_S);
        assert_int_equal(effective.min_send_rate, PROPERTY_MIN_SEND_RATE_DEFAULT);
        assert_int_equal(effective.connection_limit, UINT32_MAX);
    }
}

/* Each timeout by itself: group over session over default, 0 = not set, the maximum = off. */
static void property_timeouts_of_a_group_win_over_its_session(void **state)
{
    (void)state;
    static const USHORT values[] = {0, 1, 7, MAXUSHORT};
    static const uint32_t in_force[] = {PROPERTY_TIMEOUT_DEFAULT_S, 1, 7, 0};
    for (size_t g = 0; g < 4; g++) {
        for (size_t s = 0; s < 4; s++) {
            struct properties group = {0}, session = {0};
            struct effective effective;
            size_t wins = values[g] != 0 ? g : s;
            set_timeouts(&group, true, (HTTP_TIMEOUT_LIMIT_INFO){.HeaderWait = values[g]});
            set_timeouts(&session, true, (HTTP_TIMEOUT_LIMIT_INFO){.HeaderWait = values[s]});
            property_compute_effective(&group, &session, &effective);
            assert_int_equal(effective.header_wait_s, in_force[wins]);
            assert_int_equal(effective.idle_connection_s, PROPERTY_TIMEOUT_DEFAULT_S);
        }
    }
}

static void property_each_timeout_reaches_its_own_value(void **state)
{
    (void)state;
    struct properties group = {0};
    struct effective effective;
    set_timeouts(&group, true,
                 (HTTP_TIMEOUT_LIMIT_INFO){.EntityBody = 1,
                                           .DrainEntityBody = 2,
                                           .RequestQueue = 3,
                                           .IdleConnection = 4,
                                           .HeaderWait = 5,
                                           .MinSendRate = 6});
    property_compute_effective(&group, NULL, &effective);
    assert_int_equal(effective.entity_body_s, 1);
    assert_int_equal(effective.drain_entity_body_s, 2);
    assert_int_equal(effective.request_queue_s, 3);
    assert_int_equal(effective.idle_connection_s, 4);
    assert_int_equal(effective.header_wait_s, 5);
    assert_int_equal(effective.min_send_rate, 6);
    set_timeouts(&group, true, (HTTP_TIMEOUT_LIMIT_INFO){.MinSendRate = MAXULONG});
    property_compute_effective(&group, NULL, &effective);
    assert_int_equal(effective.min_send_rate, 0);
    set_timeouts(&group, false, (HTTP_TIMEOUT_LIMIT_INFO){.EntityBody = 9});
    property_compute_effective(&group, NULL, &effective);
    assert_int_equal(effective.entity_body_s, PROPERTY_TIMEOUT_DEFAULT_S);
}

static void set_state(struct properties *own, HTTP_ENABLED_STATE enabled, bool present)
{
    HTTP_STATE_INFO info = {.Flags.Present = present, .State = enabled};
    assert_int_equal(property_set(own, GROUP, HttpServerStateProperty, &info, sizeof info),
                     NO_ERROR);
}

static void property_inactive_on_either_level_is_inactive(void **state)
{
    (void)state;
    for (int bits = 0; bits < 4; bits++) {
        struct properties group = {0}, session = {0};
        struct effective effective;
        set_state(&group, bits & 1 ? HttpEnabledStateInactive : HttpEnabledStateActive, true);
        set_state(&session, bits & 2 ? HttpEnabledStateInactive : HttpEnabledStateActive, true);
        property_compute_effective(&group, &session, &effective);
        assert_int_equal(effective.active, bits == 0);
        set_state(&group, HttpEnabledStateInactive, false); /* not set here */
        set_state(&session, HttpEnabledStateInactive, false);
        property_compute_effective(&group, &session, &effective);
        assert_int_equal(effective.active, 1);
    }
}

static ULONG set_limit(struct properties *own, enum property_owner owner, ULONG most)
{
    HTTP_CONNECTION_LIMIT_INFO limit = {.Flags.Present = 1, .MaxConnections = most};
    HTTP_QOS_SETTING_INFO qos = {HttpQosSettingTypeConnectionLimit, &limit};
    return property_set(own, owner, HttpServerQosProperty, &qos, sizeof qos);
}

static void property_a_connection_limit_belongs_to_groups(void **state)
{
    (void)state;
    struct properties group = {0}, session = {0};
    struct effective effective;
    assert_int_equal(set_limit(&group, GROUP, 5), NO_ERROR);
    assert_int_equal(set_limit(&session, SESSION, 5), ERROR_INVALID_PARAMETER);
    property_compute_effective(&group, &session, &effective);
    assert_int_equal(effective.connection_limit, 5);
    HTTP_CONNECTION_LIMIT_INFO back = {0};
    HTTP_QOS_SETTING_INFO qos = {HttpQosSettingTypeConnectionLimit, &back};
    ULONG length = 0;
    assert_int_equal(
        property_query(&group, GROUP, HttpServerQosProperty, &qos, sizeof qos, &length), NO_ERROR);
    assert_int_equal(back.MaxConnections, 5);
    assert_int_equal(back.Flags.Present, 1);
}

static void property_what_was_set_comes_back(void **state)
{
    (void)state;
    struct properties own = {0};
    HTTP_TIMEOUT_LIMIT_INFO timeouts = {.EntityBody = 3, .MinSendRate = 4}, back;
    HTTP_STATE_INFO info;
    ULONG length = 0;
    set_timeouts(&own, true, timeouts);
    set_state(&own, HttpEnabledStateInactive, true);
    assert_int_equal(
        property_query(&own, GROUP, HttpServerTimeoutsProperty, &back, sizeof back, &length),
        NO_ERROR);
    assert_int_equal(length, sizeof back);
    assert_int_equal(back.Flags.Present, 1);
    assert_int_equal(back.EntityBody, 3);
    assert_int_equal(back.MinSendRate, 4);
    assert_int_equal(
        property_query(&own, GROUP, HttpServerStateProperty, &info, sizeof info, &length),
        NO_ERROR);
    assert_int_equal(info.State, HttpEnabledStateInactive);
    assert_int_equal(
        property_query(&own, GROUP, HttpServerTimeoutsProperty, &back, sizeof back - 1, &length),
        ERROR_MORE_DATA);
    assert_int_equal(length, sizeof back);
    assert_int_equal(property_query(&own, GROUP, HttpServerStateProperty, NULL, 0, &length),
                     ERROR_MORE_DATA);
    assert_int_equal(length, sizeof info);
}

/* Every property with every length, on both levels: a code, and no byte read past the end. */
static void property_short_and_unknown_ones_are_refused(void **state)
{
    (void)state;
    for (int owner = 0; owner <= (int)PROPERTY_OF_GROUP; owner++) {
        for (int number = -1; number < 24; number++) {
            for (ULONG length = 0; length < 8; length++) {
                struct properties own = {0}, before = {0};
                char *exact = test_malloc(length + 1);
                memset(exact, 0x55, length + 1);
                ULONG status = property_set(&own, (enum property_owner)owner,
                                            (HTTP_SERVER_PROPERTY)number, exact, length);
                assert_true(status == ERROR_INVALID_PARAMETER || status == ERROR_NOT_SUPPORTED);
                assert_memory_equal(&own, &before, sizeof own);
                test_free(exact);
            }
            struct properties own = {0};
            assert_int_equal(property_set(&own, (enum property_owner)owner,
                                          (HTTP_SERVER_PROPERTY)number, NULL, 100),
                             ERROR_INVALID_PARAMETER);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(property_nothing_set_gives_the_defaults),
        cmocka_unit_test(property_timeouts_of_a_group_win_over_its_session),
        cmocka_unit_test(property_each_timeout_reaches_its_own_value),
        cmocka_unit_test(property_inactive_on_either_level_is_inactive),
        cmocka_unit_test(property_a_connection_limit_belongs_to_groups),
        cmocka_unit_test(property_what_was_set_comes_back),
        cmocka_unit_test(property_short_and_unknown_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
