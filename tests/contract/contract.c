#include "contract/contract.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "contract/shim.h"

enum { RESULT_FAILED = 101, RESULT_SKIPPED = 102 };

/* The process runs one case: what it was started with, and what it ends with. */
static char **helper_arguments;
static int helper_result;

const char *contract_argument(int n)
{
    return helper_arguments[n];
}

void contract_set_result(int code)
{
    helper_result = code;
}

static const struct contract_case *find_case(const struct contract_case *cases, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    return NULL;
}

static int run_one(const struct contract_case *chosen, const char *name, char **arguments)
{
    if (chosen == NULL) {
        fprintf(stderr, "no case %s\n", name);
        return RESULT_FAILED;
    }
    helper_arguments = arguments;
    chosen->run();
    return helper_result;
}

static int run_all(const struct contract_case *cases, size_t count)
{
    unsigned passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (cases[i].helper) {
            continue;
        }
        if ((cases[i].skip_on & shim_provider()) != 0) {
            printf("skip %s: %s\n", cases[i].name, cases[i].reason);
            skipped++;
            continue;
        }
        const char *arguments[] = {cases[i].name, NULL};
        const int result = shim_run_self(arguments, CONTRACT_SECONDS);
        if (result == 0) {
            printf("ok   %s\n", cases[i].name);
            passed++;
        } else if (result == RESULT_SKIPPED) {
            skipped++;
        } else {
            printf("FAIL %s", cases[i].name);
            if (result >= 256) {
                printf(" (ended by signal %d)", result - 256);
            } else if (result != RESULT_FAILED) {
                printf(" (exit code %d)", result);
            }
            printf("\n");
            failed++;
        }
        fflush(stdout);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}

int contract_main(const struct contract_case *cases, size_t count, int argc, char **argv)
{
    shim_start();
    if (argc >= 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) {
            printf("%s\n", cases[i].name);
        }
        return 0;
    }
    if (argc >= 2) {
        return run_one(find_case(cases, count, argv[1]), argv[1], argv + 2);
    }
    return run_all(cases, count);
}

int contract_run_helper(const char *name, const char *argument)
{
    const char *arguments[] = {name, argument, NULL};
    const int result = shim_run_self(arguments, CONTRACT_SECONDS / 2);
    if (result == RESULT_FAILED || result >= 256) {
        contract_fail(__FILE__, __LINE__, "helper %s ended with %d", name, result);
    }
    return result;
}

int contract_run_helper_number(const char *name, unsigned argument)
{
    char text[16];
    snprintf(text, sizeof text, "%u", argument);
    return contract_run_helper(name, text);
}

void contract_skip(const char *reason)
{
    printf("skip %s\n", reason);
    fflush(stdout);
    shim_die(RESULT_SKIPPED);
}

void contract_fail(const char *file, int line, const char *format, ...)
{
    const char *name = strrchr(file, '/');
    printf("  %s:%d: ", name != NULL ? name + 1 : file, line);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    shim_die(RESULT_FAILED);
}

void contract_check_code(const char *file, int line, const char *call, const char *name,
                         ULONG expected, ULONG seen)
{
    if (seen != expected) {
        contract_fail(file, line, "%s\n    expected %s (%u), seen %u", call, name,
                      (unsigned)expected, (unsigned)seen);
    }
}

void contract_check_codes(const char *file, int line, const char *call, const char *names,
                          ULONG one, ULONG other, ULONG seen)
{
    if (seen != one && seen != other) {
        contract_fail(file, line, "%s\n    expected %s, seen %u", call, names, (unsigned)seen);
    }
}

void contract_check_fails(const char *file, int line, const char *call, ULONG seen)
{
    if (seen == NO_ERROR || seen == ERROR_IO_PENDING) {
        contract_fail(file, line, "%s\n    expected a failure, seen %u", call, (unsigned)seen);
    }
}

void contract_check_uint(const char *file, int line, const char *what, uint64_t expected,
                         uint64_t seen)
{
    if (seen != expected) {
        contract_fail(file, line, "%s\n    expected %" PRIu64 ", seen %" PRIu64, what, expected,
                      seen);
    }
}

void contract_check_text(const char *file, int line, const char *what, const char *expected,
                         const char *seen, size_t length)
{
    if (seen == NULL || strlen(expected) != length || memcmp(expected, seen, length) != 0) {
        contract_fail(file, line, "%s\n    expected \"%s\"\n    seen     \"%.*s\" (%zu bytes)",
                      what, expected, seen == NULL ? 0 : (int)length, seen == NULL ? "" : seen,
                      length);
    }
}

void contract_check_wide(const char *file, int line, const char *what, const char *expected,
                         PCWSTR seen, size_t bytes)
{
    char text[4096];
    size_t needed = 0;
    if (seen == NULL) {
        contract_fail(file, line, "%s\n    expected \"%s\", seen NULL", what, expected);
    }
    if (text_to_utf8(seen, text_units(bytes), text, sizeof text, &needed) != NO_ERROR) {
        contract_fail(file, line, "%s: not text, or too long", what);
    }
    contract_check_text(file, line, what, expected, text, needed - 1);
}
