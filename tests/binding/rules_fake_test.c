/* The recording fake itself: it must notice each breach that other tests rely on it to notice, and
 * nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fake.h"

static const HTTPAPI_VERSION version = {2, 0};

struct graph {
    HANDLE queue;
    HTTP_SERVER_SESSION_ID session;
    HTTP_URL_GROUP_ID group;
};

#define URL "http://localhost:8080/a/"

static void bind_group(HTTP_URL_GROUP_ID group, HANDLE queue)
{
    HTTP_BINDING_INFO info = {.Flags = {.Present = 1}, .RequestQueueHandle = queue};
    assert_int_equal(HttpSetUrlGroupProperty(group, HttpServerBindingProperty, &info, sizeof info),
                     NO_ERROR);
}

static struct graph make(void)
{
    struct graph g;
    fake_reset();
    assert_int_equal(HttpInitialize(version, HTTP_INITIALIZE_SERVER, NULL), NO_ERROR);
    assert_int_equal(HttpCreateRequestQueue(version, NULL, NULL, 0, &g.queue), NO_ERROR);
    assert_int_equal(HttpCreateServerSession(version, &g.session, 0), NO_ERROR);
    assert_int_equal(HttpCreateUrlGroup(g.session, &g.group, 0), NO_ERROR);
    bind_group(g.group, g.queue);
    assert_int_equal(HttpAddUrlToUrlGroup(g.group, URL, 7, 0), NO_ERROR);
    return g;
}

enum closing { REMOVE, GROUP, SESSION, QUEUE, TERMINATE, CLOSINGS };

static ULONG close_one(const struct graph *g, enum closing what)
{
    switch (what) {
    case REMOVE: return HttpRemoveUrlFromUrlGroup(g->group, URL, 0);
    case GROUP: return HttpCloseUrlGroup(g->group);
    case SESSION: return HttpCloseServerSession(g->session);
    case QUEUE: return HttpCloseRequestQueue(g->queue);
    default: return HttpTerminate(HTTP_INITIALIZE_SERVER, NULL);
    }
}

/* Closes in the given order; returns the violations. */
static size_t violations_of(const enum closing *order, size_t count)
{
    struct graph g = make();
    for (size_t i = 0; i < count; i++) {
        (void)close_one(&g, order[i]); /* the violations tell */
    }
    (void)fake_check_kind_order(0); /* counted next */
    return fake_check_end();
}

static void fake_documented_order_is_clean(void **state)
{
    (void)state; /* none is kept */
    static const enum closing order[] = {REMOVE, GROUP, SESSION, QUEUE, TERMINATE};
    assert_int_equal(violations_of(order, CLOSINGS), 0);
}

static void fake_each_other_order_is_noticed(void **state)
{
    (void)state; /* none is kept */
    for (int i = 0; i < CLOSINGS; i++) {
        for (int j = i + 1; j < CLOSINGS; j++) {
            enum closing order[] = {REMOVE, GROUP, SESSION, QUEUE, TERMINATE};
            enum closing kept = order[i];
            order[i] = order[j];
            order[j] = kept;
            if (violations_of(order, CLOSINGS) == 0) {
                fail_msg("swapping %d and %d goes unnoticed", i, j);
            }
        }
    }
}

static void fake_each_missing_close_is_noticed(void **state)
{
    (void)state; /* none is kept */
    for (int left_out = 0; left_out < CLOSINGS; left_out++) {
        enum closing order[CLOSINGS];
        size_t count = 0;
        for (int i = 0; i < CLOSINGS; i++) {
            if (i != left_out) {
                order[count++] = (enum closing)i;
            }
        }
        if (violations_of(order, count) == 0) {
            fail_msg("leaving out %d goes unnoticed", left_out);
        }
    }
}

static void fake_each_double_close_is_noticed(void **state)
{
    (void)state; /* none is kept */
    for (int twice = 0; twice < CLOSINGS; twice++) {
        enum closing order[CLOSINGS + 1];
        size_t count = 0;
        for (int i = 0; i < CLOSINGS; i++) {
            order[count++] = (enum closing)i;
            if (i == twice) {
                order[count++] = (enum closing)i;
            }
        }
        if (violations_of(order, count) == 0) {
            fail_msg("closing %d twice goes unnoticed", twice);
        }
    }
}

static void fake_older_sibling_first_is_noticed(void **state)
{
    (void)state; /* none is kept */
    struct graph g = make();
    HTTP_URL_GROUP_ID younger;
    assert_int_equal(HttpCreateUrlGroup(g.session, &younger, 0), NO_ERROR);
    size_t from = fake_record_count();
    (void)close_one(&g, REMOVE); /* the violations tell */
    (void)close_one(&g, GROUP);  /* as above */
    assert_int_equal(HttpCloseUrlGroup(younger), NO_ERROR);
    assert_int_equal(fake_check_kind_order(from), 1);
}

static void fake_call_without_initialise_is_noticed(void **state)
{
    (void)state; /* none is kept */
    HTTP_SERVER_SESSION_ID session;
    fake_reset();
    assert_int_equal(HttpCreateServerSession(version, &session, 0), ERROR_DLL_INIT_FAILED);
    assert_int_equal(fake_violation_count(), 1);
}

static void fake_ordered_failure_has_no_effect_and_is_no_leak(void **state)
{
    (void)state; /* none is kept */
    struct graph g = make();
    fake_fail_call("HttpCloseUrlGroup", 1, ERROR_NOT_ENOUGH_MEMORY);
    assert_int_equal(close_one(&g, REMOVE), NO_ERROR);
    assert_int_equal(close_one(&g, GROUP), ERROR_NOT_ENOUGH_MEMORY);
    assert_true(fake_fault_fired());
    assert_int_equal(fake_open_count(FAKE_GROUP), 1);
    assert_int_equal(close_one(&g, SESSION), NO_ERROR);
    assert_int_equal(close_one(&g, QUEUE), NO_ERROR);
    assert_int_equal(close_one(&g, TERMINATE), NO_ERROR);
    assert_int_equal(fake_check_end(), 0);
}

/* --- requests and time --- */

struct heard {
    struct loop_op op;
    ULONG status, bytes;
    unsigned count;
};

static void on_complete(struct loop_op *op, ULONG status, ULONG bytes)
{
    struct heard *heard = (struct heard *)(void *)op;
    heard->status = status;
    heard->bytes = bytes;
    heard->count++;
}

static void fake_request_reaches_receive_and_answer_is_kept(void **state)
{
    (void)state; /* none is kept */
    struct graph g = make();
    struct loop *loop = NULL;
    struct heard receive = {.op.on_complete = on_complete}, send = {.op.on_complete = on_complete};
    union {
        HTTP_REQUEST request;
        char bytes[2048];
    } buffer;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    assert_int_equal(HttpReceiveHttpRequest(g.queue, HTTP_NULL_ID, HTTP_RECEIVE_REQUEST_FLAG_BORROW,
                                            &buffer.request, sizeof buffer, NULL,
                                            &receive.op.overlapped),
                     ERROR_IO_PENDING);
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){
        .method = "PATCH", .url = URL "b?c", .headers = "X-A: one\r\nAccept: two\r\n"});
    assert_int_not_equal(id, HTTP_NULL_ID);
    assert_int_equal(receive.count, 0); /* never from inside a call */
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
    assert_int_equal(receive.count, 1);
    assert_int_equal(buffer.request.UrlContext, 7);
    assert_int_equal(buffer.request.Verb, HttpVerbUnknown);
    assert_memory_equal(buffer.request.CookedUrl.pAbsPath, "/a/b", 4);
    assert_int_equal(buffer.request.Headers.UnknownHeaderCount, 1);
    const char *lent = buffer.request.pRawUrl;
    HTTP_DATA_CHUNK chunk = {.DataChunkType = HttpDataChunkFromMemory};
    chunk.FromMemory.pBuffer = (PVOID)(uintptr_t) "hi";
    chunk.FromMemory.BufferLength = 2;
    HTTP_RESPONSE response = {.StatusCode = 201, .EntityChunkCount = 1, .pEntityChunks = &chunk};
    assert_int_equal(HttpSendHttpResponse(g.queue, id, 0, &response, NULL, NULL, NULL, 0,
                                          &send.op.overlapped, NULL),
                     NO_ERROR);
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
    assert_int_equal(send.count, 1);
    assert_string_equal(fake_response_of(id)->body, "hi");
    assert_int_equal(fake_response_of(id)->status, 201);
    assert_int_equal((unsigned char)lent[0], 0xDD); /* taken back */
    loop_close(loop);
}

static void fake_too_small_buffer_names_the_request(void **state)
{
    (void)state; /* none is kept */
    struct graph g = make();
    struct loop *loop = NULL;
    struct heard receive = {.op.on_complete = on_complete};
    union {
        HTTP_REQUEST request;
        char bytes[4096];
    } buffer;
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    HTTP_REQUEST_ID id = fake_inject(&(struct fake_request_spec){.url = URL});
    assert_int_equal(HttpReceiveHttpRequest(g.queue, HTTP_NULL_ID, 0, &buffer.request,
                                            sizeof buffer.request, NULL, &receive.op.overlapped),
                     ERROR_IO_PENDING);
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
    assert_int_equal(receive.status, ERROR_MORE_DATA);
    assert_int_equal(buffer.request.RequestId, id);
    assert_true(receive.bytes > sizeof(HTTP_REQUEST) && receive.bytes <= sizeof buffer);
    assert_int_equal(HttpReceiveHttpRequest(g.queue, id, 0, &buffer.request, receive.bytes, NULL,
                                            &receive.op.overlapped),
                     NO_ERROR);
    assert_int_equal(loop_run_once(loop, 0), NO_ERROR);
    assert_int_equal(receive.count, 2);
    loop_close(loop);
}

static void on_fire(struct loop_timer *timer)
{
    (void)timer; /* that it fired is all */
}

static void fake_time_jumps_to_the_next_timer(void **state)
{
    (void)state; /* none is kept */
    struct loop *loop = NULL;
    struct loop_timer timer = {.on_fire = on_fire};
    fake_reset();
    assert_int_equal(loop_open(LOOP_BACKEND_DEFAULT, &loop), NO_ERROR);
    uint64_t begin = loop_now_ns(loop);
    loop_timer_start(loop, &timer, UINT64_C(3600000000000));
    assert_int_equal(loop_run_once(loop, UINT64_C(1000000000)), NO_ERROR);
    assert_true(loop_timer_is_running(&timer));
    assert_int_equal(loop_now_ns(loop) - begin, UINT64_C(1000000000));
    assert_int_equal(loop_run_once(loop, UINT64_MAX), NO_ERROR);
    assert_false(loop_timer_is_running(&timer));
    assert_true(loop_now_ns(loop) - begin >= UINT64_C(3600000000000));
    loop_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_documented_order_is_clean),
        cmocka_unit_test(fake_each_other_order_is_noticed),
        cmocka_unit_test(fake_each_missing_close_is_noticed),
        cmocka_unit_test(fake_each_double_close_is_noticed),
        cmocka_unit_test(fake_older_sibling_first_is_noticed),
        cmocka_unit_test(fake_call_without_initialise_is_noticed),
        cmocka_unit_test(fake_ordered_failure_has_no_effect_and_is_no_leak),
        cmocka_unit_test(fake_request_reaches_receive_and_answer_is_kept),
        cmocka_unit_test(fake_too_small_buffer_names_the_request),
        cmocka_unit_test(fake_time_jumps_to_the_next_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
