/* The recording fake: the record, the violations, the ordered failures, and the checks at the end.
 */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_process fake = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .requests_end = &fake.requests,
    .waits_end = &fake.waits,
    .hold_sends_over = SIZE_MAX,
    .next_id = 1,
    .now_ns = 1000000000u,
    .next_port = 40000,
    .epoch = 1,
};

static _Thread_local unsigned thread_number, thread_epoch;

void *fake_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void *fake_copy(const void *bytes, size_t len)
{
    char *copy = fake_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

void fake_lock(void)
{
    pthread_mutex_lock(&fake.lock);
}
void fake_unlock(void)
{
    pthread_mutex_unlock(&fake.lock);
}

static void *grow(void *list, size_t count, size_t *cap)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap == 0 ? 64 : *cap * 2;
    void *bigger = realloc(list, *cap * sizeof(void *));
    if (bigger == NULL) {
        abort();
    }
    return bigger;
}

static unsigned number_of_thread_locked(void)
{
    if (thread_epoch != fake.epoch) {
        thread_epoch = fake.epoch;
        thread_number = ++fake.thread_count;
    }
    return thread_number;
}

static struct fake_record *add_record_locked(const char *call)
{
    struct fake_record *record = fake_alloc(sizeof *record);
    record->call = call;
    record->thread = number_of_thread_locked();
    fake.record = grow(fake.record, fake.record_count, &fake.record_cap);
    fake.record[fake.record_count++] = record;
    return record;
}

struct fake_record *fake_begin_locked(const char *call, const char *object_format, ...)
{
    struct fake_record *record = add_record_locked(call);
    va_list args;
    va_start(args, object_format);
    vsnprintf(record->object, sizeof record->object, object_format, args);
    va_end(args);
    bool counts = fake.fail_call == NULL || strcmp(fake.fail_call, call) == 0;
    if (fake.fail_in > 0 && counts && --fake.fail_in == 0) {
        record->injected = true;
        record->result = fake.fail_code;
        fake.fault_fired = true;
    }
    return record;
}

struct fake_record *fake_note_locked(const char *call, const char *object_format, ...)
{
    struct fake_record *record = add_record_locked(call);
    va_list args;
    va_start(args, object_format);
    vsnprintf(record->object, sizeof record->object, object_format, args);
    va_end(args);
    return record;
}

void fake_detail_locked(struct fake_record *record, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(record->detail, sizeof record->detail, format, args);
    va_end(args);
}

ULONG fake_end(struct fake_record *record, ULONG result)
{
    record->result = result;
    fake_unlock();
    return result;
}

void fake_violate_locked(const char *format, ...)
{
    char *text = fake_alloc(FAKE_VIOLATION_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(text, FAKE_VIOLATION_MAX, format, args);
    va_end(args);
    fake.violation = grow(fake.violation, fake.violation_count, &fake.violation_cap);
    fake.violation[fake.violation_count++] = text;
}

const char *fake_kind_name(enum fake_kind kind)
{
    static const char *const name[FAKE_KIND_COUNT] = {"url", "group", "session", "queue"};
    return name[kind];
}

struct fake_object *fake_add_object_locked(enum fake_kind kind, struct fake_object *parent)
{
    struct fake_object *object = fake_alloc(sizeof *object);
    object->kind = kind;
    object->parent = parent;
    object->open = true;
    /* Far apart and never zero, so that an id of one kind is never one of another; not an address
     * anybody may follow. */
    object->id = 0x10000u + 0x100u * fake.next_id++;
    fake.object = grow(fake.object, fake.object_count, &fake.object_cap);
    fake.object[fake.object_count++] = object;
    return object;
}

struct fake_object *fake_find_locked(enum fake_kind kind, uint64_t id)
{
    for (size_t i = 0; i < fake.object_count; i++) {
        if (fake.object[i]->kind == kind && fake.object[i]->id == id) {
            return fake.object[i];
        }
    }
    return NULL;
}

unsigned fake_number_locked(const struct fake_object *object)
{
    unsigned number = 0;
    for (size_t i = 0; i < fake.object_count; i++) {
        number += fake.object[i]->kind == object->kind;
        if (fake.object[i] == object) {
            break;
        }
    }
    return number;
}

bool fake_ready_locked(const char *call)
{
    if (fake.server_count > 0) {
        return true;
    }
    fake_violate_locked("%s called without HttpInitialize(SERVER)", call);
    return false;
}

static void reset_locked(void)
{
    for (size_t i = 0; i < fake.record_count; i++) {
        free(fake.record[i]);
    }
    for (size_t i = 0; i < fake.violation_count; i++) {
        free(fake.violation[i]);
    }
    for (size_t i = 0; i < fake.object_count; i++) {
        free(fake.object[i]->url);
        free(fake.object[i]);
    }
    fake_forget_requests_locked();
    fake.record_count = fake.violation_count = fake.object_count = 0;
    fake.server_count = fake.config_count = 0;
    fake.terminate_failed = fake.fault_fired = false;
    fake.rules = 0;
    fake.fail_in = 0;
    fake.fail_call = fake.refuse_part = NULL;
    fake.hold_sends_over = SIZE_MAX;
    fake.next_id = 1;
    fake.now_ns = 1000000000u;
    fake.next_port = 40000;
    fake.thread_count = 0;
    fake.epoch++;
}

void fake_reset(void)
{
    fake_lock();
    if (fake.loop_count > 0) {
        fprintf(stderr, "fake_reset: %zu loops are open\n", fake.loop_count);
        abort();
    }
    reset_locked();
    free(fake.record);
    free(fake.violation);
    free(fake.object);
    fake.record = NULL, fake.violation = NULL, fake.object = NULL;
    fake.record_cap = fake.violation_cap = fake.object_cap = 0;
    fake_unlock();
}

void fake_set_rules(unsigned rules)
{
    fake_lock();
    fake.rules = rules;
    fake_unlock();
}

size_t fake_record_count(void)
{
    fake_lock();
    size_t count = fake.record_count;
    fake_unlock();
    return count;
}

const struct fake_record *fake_record_at(size_t i)
{
    fake_lock();
    const struct fake_record *record = i < fake.record_count ? fake.record[i] : NULL;
    fake_unlock();
    return record;
}

size_t fake_count_calls(const char *call)
{
    size_t count = 0;
    fake_lock();
    for (size_t i = 0; i < fake.record_count; i++) {
        count += strcmp(fake.record[i]->call, call) == 0;
    }
    fake_unlock();
    return count;
}

void fake_print_record(void)
{
    fake_lock();
    for (size_t i = 0; i < fake.record_count; i++) {
        const struct fake_record *r = fake.record[i];
        fprintf(stderr, "%4zu t%u %s %s %s%s-> %u%s\n", i, r->thread, r->call, r->object, r->detail,
                r->detail[0] != 0 ? " " : "", (unsigned)r->result, r->injected ? " (ordered)" : "");
    }
    fake_unlock();
}

size_t fake_open_count(enum fake_kind kind)
{
    size_t count = 0;
    fake_lock();
    for (size_t i = 0; i < fake.object_count; i++) {
        count += fake.object[i]->kind == kind && fake.object[i]->open;
    }
    fake_unlock();
    return count;
}

unsigned fake_initialize_count(ULONG flag)
{
    fake_lock();
    unsigned count = flag == HTTP_INITIALIZE_SERVER ? fake.server_count : fake.config_count;
    fake_unlock();
    return count;
}

size_t fake_violation_count(void)
{
    fake_lock();
    size_t count = fake.violation_count;
    fake_unlock();
    return count;
}

const char *fake_violation_at(size_t i)
{
    fake_lock();
    const char *text = i < fake.violation_count ? fake.violation[i] : NULL;
    fake_unlock();
    return text;
}

/* Place in the closing order of a call; -1 when it closes nothing. */
static int closing_rank(const char *call)
{
    static const char *const order[] = {"HttpRemoveUrlFromUrlGroup", "HttpCloseUrlGroup",
                                        "HttpCloseServerSession", "HttpCloseRequestQueue",
                                        "HttpTerminate"};
    for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++) {
        if (strcmp(call, order[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* Calls that come after the first of the last row of terminates. */
static void check_terminates_last_locked(void)
{
    size_t last_other = 0, first_terminate = SIZE_MAX;
    for (size_t i = 0; i < fake.record_count; i++) {
        if (strcmp(fake.record[i]->call, "HttpTerminate") == 0) {
            first_terminate = first_terminate == SIZE_MAX ? i : first_terminate;
        } else if (strcmp(fake.record[i]->call, "HttpInitialize") == 0) {
            first_terminate = SIZE_MAX;
        } else if (strncmp(fake.record[i]->call, "Http", 4) == 0) {
            last_other = i;
        }
    }
    if (first_terminate != SIZE_MAX && last_other > first_terminate) {
        fake_violate_locked("%s %s was called after HttpTerminate", fake.record[last_other]->call,
                            fake.record[last_other]->object);
    }
}

size_t fake_check_end(void)
{
    fake_lock();
    for (size_t i = 0; i < fake.object_count; i++) {
        const struct fake_object *object = fake.object[i];
        if (object->open && !object->close_tried) {
            fake_violate_locked("%s %u (%s) was never closed", fake_kind_name(object->kind),
                                fake_number_locked(object),
                                object->url != NULL ? object->url : "-");
        }
    }
    if (!fake.terminate_failed && (fake.server_count > 0 || fake.config_count > 0)) {
        fake_violate_locked("HttpTerminate is missing: %u SERVER, %u CONFIG", fake.server_count,
                            fake.config_count);
    }
    check_terminates_last_locked();
    size_t count = fake.violation_count;
    fake_unlock();
    return count;
}

size_t fake_check_kind_order(size_t from)
{
    fake_lock();
    int rank = -1;
    uint64_t newest = 0;
    for (size_t i = from; i < fake.record_count; i++) {
        const struct fake_record *record = fake.record[i];
        int now = closing_rank(record->call);
        if (now < 0) {
            continue;
        }
        if (now < rank) {
            fake_violate_locked("%s %s came after a later kind", record->call, record->object);
        } else if (now > rank) {
            rank = now;
        } else if (now < FAKE_KIND_COUNT && record->about > newest) {
            fake_violate_locked("%s %s closed after an older one", record->call, record->object);
        }
        newest = record->about;
    }
    size_t count = fake.violation_count;
    fake_unlock();
    return count;
}

void fake_fail_nth(size_t n, ULONG code)
{
    fake_fail_call(NULL, n, code);
}

void fake_fail_call(const char *call, size_t n, ULONG code)
{
    fake_lock();
    fake.fail_call = call;
    fake.fail_in = n;
    fake.fail_code = code;
    fake.fault_fired = false;
    fake_unlock();
}

void fake_refuse_url(const char *part, ULONG code)
{
    fake_lock();
    fake.refuse_part = part;
    fake.refuse_code = code;
    fake_unlock();
}

bool fake_fault_fired(void)
{
    fake_lock();
    bool fired = fake.fault_fired;
    fake_unlock();
    return fired;
}
