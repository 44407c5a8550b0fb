#include "runtime/reachable.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "binding/ledger.h"
#include "runtime/hostdata.h"

enum { TEXT_BYTES_MAX = LEDGER_OBJECT_BYTES_MAX + LEDGER_SITE_BYTES_MAX + 32 };

bool reachable_is_local(struct slice url)
{
    const char *colon = url.len < 3 ? NULL : memchr(url.p, ':', url.len - 2);
    if (colon == NULL || colon[1] != '/' || colon[2] != '/') {
        return true; /* a bare path: wherever the command line says */
    }
    struct slice host = slice_make(colon + 3, url.len - (size_t)(colon + 3 - url.p));
    if (slice_starts_with(host, SLICE_LIT("[::1]"))) {
        return true;
    }
    size_t len = 0;
    while (len < host.len && host.p[len] != ':' && host.p[len] != '/') {
        len++;
    }
    host.len = len;
    return slice_equal_nocase(host, SLICE_LIT("localhost")) ||
           slice_starts_with(host, SLICE_LIT("127."));
}

static bool look(void *ctx, const struct ledger_info *info)
{
    char *text = ctx;
    if (info->kind != NODE_URL || info->state != NODE_OPEN ||
        reachable_is_local(slice_from_cstr(info->name))) {
        return true;
    }
    (void)snprintf(text, TEXT_BYTES_MAX, "%s (%s:%d)", info->name, info->made.file,
                   info->made.line);
    return false;
}

void reachable_warn(struct host *host)
{
    char text[TEXT_BYTES_MAX] = "";
    const struct host_config *config = host->config;
    if (config->is_public || host->has_warned_reachable) {
        return;
    }
    for (size_t i = 0; i < config->listen_count && text[0] == '\0'; i++) {
        if (!reachable_is_local(slice_from_cstr(config->listen[i]))) {
            (void)snprintf(text, sizeof text, "%s (-l)", config->listen[i]);
        }
    }
    if (text[0] == '\0') {
        ledger_walk(host->ledger, look, text);
    }
    if (text[0] != '\0') {
        host->has_warned_reachable = true;
        log_write(host->log, LOG_LEVEL_WARN,
                  "other machines can reach %s (--public says that this is meant)", text);
    }
}
