#include "runtime/reqlog.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "binding/request.h"
#include "binding/state.h"
#include "runtime/host.h"

struct reqlog {
    const struct host_config *config;
    uint64_t begun_ns;
    size_t method_len, path_len;
    char text[]; /* method, path */
};

void reqlog_begin(struct request *r, const struct host_config *config)
{
    struct slice method = httpreq_method(r), path = httpreq_path(r);
    size_t method_len = method.len < REQLOG_METHOD_BYTES_MAX ? method.len : REQLOG_METHOD_BYTES_MAX;
    size_t path_len = path.len < REQLOG_PATH_BYTES_MAX ? path.len : REQLOG_PATH_BYTES_MAX;
    struct reqlog *log = malloc(sizeof *log + method_len + path_len);
    if (log == NULL) {
        return;
    }
    log->config = config;
    log->begun_ns = clock_mono_ns();
    log->method_len = method_len;
    log->path_len = path_len;
    memcpy(log->text, method.p, method_len);
    memcpy(log->text + method_len, path.p, path_len);
    r->log = log;
}

void reqlog_end(struct request *r, unsigned status)
{
    struct reqlog *log = r->log;
    r->log = NULL;
    log->config->on_request(
        log->config->ctx,
        &(struct host_request){.method = slice_make(log->text, log->method_len),
                               .path = slice_make(log->text + log->method_len, log->path_len),
                               .status = status,
                               .took_ns = clock_mono_ns() - log->begun_ns,
                               .generation = r->state == NULL ? 0 : r->state->generation});
    free(log);
}
