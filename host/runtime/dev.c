#include "runtime/dev.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/jsonout.h"
#include "binding/ledger.h"
#include "binding/request.h"
#include "runtime/generation.h"
#include "runtime/generation_internal.h"
#include "runtime/hostdata.h"
#include "runtime/locals.h"
#include "runtime/modules.h"
#include "runtime/reqlog.h"
#include "runtime/sources.h"

enum { NEWS_BYTES_MAX = 4096, BOOT_BYTES_MAX = 20 };

struct dev {
    pthread_mutex_t mutex;
    char boot[BOOT_BYTES_MAX]; /* of this process: a page of an older one is refreshed too */
    unsigned serial;           /* grows with everything that is said here */
    uint32_t generation;       /* that serves */
    bool outage;
    bool broken;
    char summary[ERRORPAGE_SUMMARY_BYTES_MAX];
    struct load_error error; /* while broken: */
    uint32_t failed;         /* which one */
    struct sources *sources; /* and its texts; NULL: none */
    bool claimed_told;       /* that the script has our URL */
    bool locals_told;        /* that the script counts on locals */
};

/* One event stream that waits. */
struct dev_wait {
    struct wait wait;
};

struct dev *dev_create(void)
{
    struct dev *dev = calloc(1, sizeof *dev);
    if (dev != NULL) {
        (void)pthread_mutex_init(&dev->mutex, NULL); /* cannot fail with default attributes */
        (void)snprintf(dev->boot, sizeof dev->boot, "%llx",
                       (unsigned long long)clock_wall_s() << 24 ^ clock_mono_ns());
    }
    return dev;
}

void dev_destroy(struct dev *dev)
{
    if (dev == NULL) {
        return;
    }
    sources_unref(dev->sources);
    (void)pthread_mutex_destroy(&dev->mutex);
    free(dev);
}

/* --- what there is to say ----------------------------------------------------------------------
 */

static void write_version(const struct dev *dev, uint32_t generation,
                          char out[DEVPAGE_VERSION_BYTES_MAX])
{
    (void)snprintf(out, DEVPAGE_VERSION_BYTES_MAX, "%s.%u", dev->boot, (unsigned)generation);
}

/* Of a page that the gate has answered: another failure is another page. With the mutex. */
static void write_outage_version(const struct dev *dev, char out[DEVPAGE_VERSION_BYTES_MAX])
{
    (void)snprintf(out, DEVPAGE_VERSION_BYTES_MAX, "%s!%u", dev->boot, dev->serial);
}

static void look(struct state *S, struct devpage_notice *notice)
{
    const struct member *member = S->host;
    struct dev *dev = member->host->dev;
    notice->refresh = member->refreshes;
    write_version(dev, S->generation, notice->version);
    (void)pthread_mutex_lock(&dev->mutex);
    (void)snprintf(notice->stale, sizeof notice->stale, "%s", dev->broken ? dev->summary : "");
    (void)pthread_mutex_unlock(&dev->mutex);
}

/* Lua names a chunk by its path, or by the end of a long one behind "...". */
static bool is_named(const char *path, struct slice name)
{
    size_t len = strlen(path);
    if (name.len > 3 && memcmp(name.p, "...", 3) == 0 && len > name.len - 3) {
        name = slice_make(name.p + 3, name.len - 3);
        path += len - name.len;
        len = name.len;
    }
    return len == name.len && memcmp(path, name.p, len) == 0;
}

static struct slice find_text(struct sources *sources, struct slice name)
{
    const struct source *file;
    for (size_t i = 0; sources != NULL && i < sources->scripts.count; i++) {
        const struct script *script = &sources->scripts.items[i];
        if (is_named(script->path, name)) {
            return slice_make(script->text, script->len);
        }
    }
    for (size_t i = 0; sources != NULL && (file = sources_at(sources, i)) != NULL; i++) {
        if (file->text != NULL && is_named(file->path, name)) {
            return slice_make(file->text, file->len);
        }
    }
    return slice_make(NULL, 0);
}

static struct slice member_source(struct state *S, struct slice file)
{
    const struct member *member = S->host;
    return find_text(member->generation->sources, file);
}

const struct devpage dev_page = {.look = look, .source = member_source};

/* --- the host's own URL ------------------------------------------------------------------------
 */

/* core.news() -> JSON, serial: what serves, and whether something is broken. */
static int core_news(lua_State *L)
{
    const struct member *member = lua_touserdata(L, lua_upvalueindex(1));
    struct dev *dev = member->host->dev;
    char version[DEVPAGE_VERSION_BYTES_MAX];
    char summary[ERRORPAGE_SUMMARY_BYTES_MAX];
    struct buf text;
    buf_init(&text, NEWS_BYTES_MAX);
    (void)pthread_mutex_lock(&dev->mutex);
    unsigned serial = dev->serial;
    bool broken = dev->broken;
    (void)snprintf(summary, sizeof summary, "%s", dev->summary);
    if (dev->outage) {
        write_outage_version(dev, version);
    } else {
        write_version(dev, dev->generation, version);
    }
    (void)pthread_mutex_unlock(&dev->mutex);
    jsonout_open(&text, "version", version);
    jsonout_text(&text, "broken", broken ? summary : NULL);
    jsonout_close(&text);
    bool ok = text.len > 0;
    if (ok) {
        lua_pushlstring(L, text.p, text.len - 1); /* without the line feed */
    }
    buf_deinit(&text);
    if (!ok) {
        return luaL_error(L, "not enough memory");
    }
    lua_pushinteger(L, (lua_Integer)serial);
    return 2;
}

static bool goes_on(const struct member *member)
{
    return member->state.phase == STATE_SERVING && member->worker != NULL &&
           member->worker->phase == WORKER_SERVING;
}

static int after_news(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    const struct member *member = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushboolean(L, goes_on(member));
    return 1;
}

/* core.wait(serial) -> boolean: until there is more than was known; false: the stream ends. */
static int core_wait(lua_State *L)
{
    struct member *member = lua_touserdata(L, lua_upvalueindex(1));
    struct dev *dev = member->host->dev;
    (void)pthread_mutex_lock(&dev->mutex);
    bool fresh = (lua_Integer)dev->serial != luaL_checkinteger(L, 1);
    (void)pthread_mutex_unlock(&dev->mutex);
    if (fresh || !goes_on(member)) {
        return after_news(L, LUA_OK, 0);
    }
    for (size_t i = 0; i < DEV_STREAMS_MAX; i++) {
        if (member->news[i].wait.task == NULL) {
            return task_wait(L, &member->news[i].wait, 0, after_news);
        }
    }
    lua_pushboolean(L, 0);
    return 1;
}

void dev_wake(struct list *members)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, members)
    {
        struct member *member = LIST_ITEM(node, struct member, node);
        for (size_t i = 0; member->news != NULL && i < DEV_STREAMS_MAX; i++) {
            task_wake(&member->news[i].wait);
        }
    }
}

size_t dev_count_streams(const struct member *member)
{
    size_t count = 0;
    for (size_t i = 0; member->news != NULL && i < DEV_STREAMS_MAX; i++) {
        count += member->news[i].wait.task != NULL ? 1 : 0;
    }
    return count;
}

/* Which prefixes the host's URL needs to be on every origin that the script has. */
struct origins {
    size_t count;
    bool claimed; /* the script has a URL below ours */
    char prefixes[DEV_AUTHORITIES_MAX][LEDGER_OBJECT_BYTES_MAX];
};

static bool note_origin(void *ctx, const struct ledger_info *info)
{
    struct origins *origins = ctx;
    char prefix[LEDGER_OBJECT_BYTES_MAX];
    if (info->kind != NODE_URL) {
        return true;
    }
    const char *host = strstr(info->name, "://");
    host = host == NULL ? info->name : host + 3;
    size_t len = (size_t)(host - info->name) + strcspn(host, "/");
    int n = snprintf(prefix, sizeof prefix, "%.*s%s", (int)len, info->name, DEVPAGE_PATH);
    bool known = n < 0 || (size_t)n >= sizeof prefix;
    origins->claimed = origins->claimed || (!known && strncmp(info->name, prefix, (size_t)n) == 0 &&
                                            info->name[n] != '\0');
    for (size_t i = 0; i < origins->count; i++) {
        known = known || strcmp(origins->prefixes[i], prefix) == 0;
    }
    if (!known && origins->count < DEV_AUTHORITIES_MAX) {
        memcpy(origins->prefixes[origins->count++], prefix, (size_t)n + 1);
    }
    return true;
}

/* (member, origins) -> count of URLs; lua/moonlatch/dev.lua does the rest. */
static int declare(lua_State *L)
{
    struct member *member = lua_touserdata(L, 1);
    const struct origins *origins = lua_touserdata(L, 2);
    if (modules_require(L, "moonlatch.dev") != LUA_OK) {
        return lua_error(L);
    }
    lua_createtable(L, 0, 3);
    lua_pushlightuserdata(L, member);
    lua_pushcclosure(L, core_news, 1);
    lua_setfield(L, -2, "news");
    lua_pushlightuserdata(L, member);
    lua_pushcclosure(L, core_wait, 1);
    lua_setfield(L, -2, "wait");
    lua_pushinteger(L, DEV_STREAMS_MAX);
    lua_setfield(L, -2, "streams_max");
    lua_createtable(L, (int)origins->count, 0);
    for (size_t i = 0; i < origins->count && !origins->claimed; i++) {
        lua_pushstring(L, origins->prefixes[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_call(L, 2, 1);
    return 1;
}

bool dev_declare(struct member *member)
{
    struct host *host = member->host;
    struct origins *origins = calloc(1, sizeof *origins);
    lua_State *L = member->state.L;
    int top = lua_gettop(L);
    member->news = calloc(DEV_STREAMS_MAX, sizeof *member->news);
    bool ok = origins != NULL && member->news != NULL && lua_checkstack(L, LUA_MINSTACK) != 0;
    if (ok) {
        ledger_walk_generation(host->ledger, member->generation->number, note_origin, origins);
        lua_pushcfunction(L, declare);
        lua_pushlightuserdata(L, member);
        lua_pushlightuserdata(L, origins);
        ok = lua_pcall(L, 2, 1, 0) == LUA_OK;
        size_t made = ok ? (size_t)lua_tointeger(L, -1) : 0;
        member->refreshes = made > 0;
        member->generation->own_urls = made;
        if (ok && made < origins->count && !host->dev->claimed_told) {
            host->dev->claimed_told = true;
            log_write(host->log, LOG_LEVEL_WARN,
                      "the script has a URL at " DEVPAGE_PATH
                      ": it is the script's, and pages do not refresh themselves");
        } else if (!ok) {
            log_write(host->log, LOG_LEVEL_WARN, "pages do not refresh themselves: %s",
                      lua_tostring(L, -1));
            ok = true;
        }
        lua_settop(L, top);
        locals_look(member);
    }
    free(origins);
    return ok;
}

void dev_note_locals(struct member *member)
{
    struct dev *dev = member->host->dev;
    if (dev != NULL) {
        (void)pthread_mutex_lock(&dev->mutex); /* of several workers one tells it */
        dev->locals_told = dev->locals_told || locals_note(member);
        (void)pthread_mutex_unlock(&dev->mutex);
    }
}

void dev_forget(struct member *member)
{
    free(member->news);
    member->news = NULL;
}

/* --- behind the closed gate --------------------------------------------------------------------
 */

struct shown {
    struct load_error error;
    struct sources *sources;
};

static struct slice shown_source(void *ctx, struct slice file)
{
    const struct shown *shown = ctx;
    return find_text(shown->sources, file);
}

static bool refuse(void *ctx, struct request *r)
{
    struct host *host = ctx;
    struct dev *dev = host->dev;
    if (dev != NULL && slice_starts_with(httpreq_path(r), SLICE_LIT(DEVPAGE_PATH))) {
        return false;
    }
    if (r->log != NULL) {
        reqlog_end(r, 503);
    }
    struct shown *shown = dev == NULL ? NULL : calloc(1, sizeof *shown);
    char version[DEVPAGE_VERSION_BYTES_MAX];
    if (shown == NULL) {
        httpreq_refuse(r, 503);
        return true;
    }
    (void)pthread_mutex_lock(&dev->mutex);
    shown->error = dev->error;
    shown->sources = dev->sources == NULL ? NULL : sources_ref(dev->sources);
    uint32_t failed = dev->failed;
    write_outage_version(dev, version);
    (void)pthread_mutex_unlock(&dev->mutex);
    devpage_refuse(r, 503,
                   &(struct errorpage){.title = "503 Service Unavailable: the script does not load",
                                       .message = shown->error.text,
                                       .hint = shown->error.hint,
                                       .generation = failed,
                                       .version = version,
                                       .source = shown_source,
                                       .ctx = shown});
    sources_unref(shown->sources);
    free(shown);
    return true;
}

/* --- news --------------------------------------------------------------------------------------
 */

/* error NULL: all is well again. */
static void note(struct dev *dev, const struct load_error *error, struct sources *sources,
                 uint32_t generation)
{
    (void)pthread_mutex_lock(&dev->mutex);
    struct sources *before = dev->sources;
    dev->serial++;
    dev->broken = error != NULL;
    dev->sources = sources == NULL ? NULL : sources_ref(sources);
    if (error != NULL) {
        dev->error = *error;
        dev->failed = generation;
        errorpage_summarize(error->text, dev->summary, sizeof dev->summary);
    }
    (void)pthread_mutex_unlock(&dev->mutex);
    sources_unref(before);
}

void dev_note_broken(struct host *host, const struct load_error *error, struct sources *sources,
                     uint32_t generation)
{
    if (host->dev != NULL) {
        note(host->dev, error, sources, generation);
    }
}

void dev_note_good(struct host *host)
{
    if (host->dev != NULL) {
        note(host->dev, NULL, NULL, 0);
    }
}

/* On a worker. */
static void run_news(struct worker_call *call)
{
    struct worker *worker = call->worker;
    struct host *host = worker->host;
    dispatch_set_outage(&worker->dispatch, host->outage ? refuse : NULL, host);
    dev_wake(&worker->members);
}

void dev_tell_workers(struct host *host, bool outage)
{
    struct dev *dev = host->dev;
    if (dev == NULL && host->outage == outage) {
        return;
    }
    if (dev != NULL) {
        (void)pthread_mutex_lock(&dev->mutex);
        dev->outage = outage;
        dev->generation = host->current->number;
        (void)pthread_mutex_unlock(&dev->mutex);
    }
    host->outage = outage;
    (void)generation_send(host->current, run_news, NULL); /* has no result */
}

/* --- before anything serves --------------------------------------------------------------------
 */

struct sources *dev_stand_in(void)
{
    static const char text[] = "http.add_url('/', function() return 503 end)";
    struct sources *sources = sources_create();
    struct script *script = calloc(1, sizeof *script);
    if (sources == NULL || script == NULL) {
        sources_unref(sources);
        free(script);
        return NULL;
    }
    sources->scripts.items = script;
    sources->scripts.count = 1;
    sources->frozen = true;
    script->path = strdup("moonlatch");
    script->text = strdup(text);
    script->len = sizeof text - 1;
    script->chunk = strdup("=moonlatch");
    if (script->path == NULL || script->text == NULL || script->chunk == NULL) {
        sources_unref(sources);
        return NULL;
    }
    return sources;
}

bool dev_waits(const struct host *host, const struct load_error *error)
{
    bool files = false;
    for (size_t i = 0; i < host->config->source_count; i++) {
        files = files || host->config->sources[i].path != NULL;
    }
    return host->dev != NULL && host->config->watch && files && !host_is_stopping(host) &&
           error->exit_code == HOST_EXIT_LOAD;
}
