#include "cli/commands.h"

#include <stdio.h>

#include <lua.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "api/provider.h"
#include "base/jsonout.h"

enum { VERSION_BYTES_MAX = 8192, REASON_BYTES_MAX = 256 };

/* Whether --loop io_uring would be taken, as a capability. */
static const char *io_uring_support(void)
{
    struct loop *loop = NULL;
    if (loop_open(LOOP_BACKEND_IO_URING, &loop) != NO_ERROR) {
        return "no: not available to this process";
    }
    loop_close(loop);
    return "yes";
}

/* "capabilities":{"ipv6":"yes","tls":"no: not built yet",...} */
static void put_capabilities(struct buf *text)
{
    static const char *const words[] = {
        [PROVIDER_HAS] = "yes", [PROVIDER_HELPED] = "helped: ", [PROVIDER_LACKS] = "no: "};
    char value[REASON_BYTES_MAX];
    (void)buf_printf(text, ",\"capabilities\":");
    for (enum provider_capability c = 0; c < PROVIDER_CAPABILITY_COUNT; c++) {
        const char *why = NULL;
        enum provider_support support = provider_support(c, &why);
        (void)snprintf(value, sizeof value, "%s%s", words[support], why == NULL ? "" : why);
        (c == 0 ? jsonout_open : jsonout_text)(text, provider_capability_name(c), value);
    }
    jsonout_text(text, "io_uring", io_uring_support());
    (void)buf_printf(text, "}");
}

int version_command(const struct options *options)
{
    struct buf text;
    struct loop *loop = NULL;
    const char *backend = "none";
    if (loop_open(LOOP_BACKEND_DEFAULT, &loop) == NO_ERROR) {
        backend = loop_backend_name(loop);
        loop_close(loop);
    }
    buf_init(&text, VERSION_BYTES_MAX);
    if (options->json) {
        jsonout_open(&text, "name", "moonlatch");
        jsonout_text(&text, "version", ML_VERSION);
        jsonout_text(&text, "lua", LUA_RELEASE);
        jsonout_text(&text, "loop", backend);
        jsonout_text(&text, "httpapi", "2.0");
        jsonout_text(&text, "provider", provider_name());
        put_capabilities(&text);
        jsonout_close(&text);
    } else {
        (void)buf_printf(&text, "moonlatch %s\n%s, %s loop, HTTP Server API 2.0 by %s\n",
                         ML_VERSION, LUA_RELEASE, backend, provider_name());
    }
    bool ok = fwrite(text.p, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    buf_deinit(&text);
    return ok ? HOST_EXIT_OK : HOST_EXIT_INTERNAL;
}
