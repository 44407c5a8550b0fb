#include "runtime/generation_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "binding/error.h"
#include "binding/ledger.h"
#include "runtime/dev.h"
#include "runtime/exit.h"
#include "runtime/guard.h"
#include "runtime/hostdata.h"
#include "runtime/loadpath.h"
#include "runtime/luaenv.h"
#include "runtime/worker.h"

static void fail_load(struct generation *generation, int exit_code, const char *text)
{
    struct load_error *error = generation->error;
    if (error != NULL && error->exit_code == 0) { /* the first failure is the cause of the others */
        error->exit_code = exit_code;
        (void)snprintf(error->text, sizeof error->text, "%s", text);
    }
}

/* --- chunks -------------------------------------------------------------------------------------
 */

static void note_end(struct loop_task *task);

static bool is_allowed(enum chunk_phase from, enum chunk_phase to)
{
    static const unsigned allowed[] = {
        [CHUNK_LOADING] =
            1U << CHUNK_WAITING | 1U << CHUNK_PULLING | 1U << CHUNK_ENDED | 1U << CHUNK_FAILED,
        [CHUNK_WAITING] = 1U << CHUNK_RUNNING | 1U << CHUNK_ENDED | 1U << CHUNK_FAILED,
        [CHUNK_PULLING] = 1U << CHUNK_WAITING | 1U << CHUNK_ENDED | 1U << CHUNK_FAILED,
        [CHUNK_RUNNING] = 1U << CHUNK_WAITING | 1U << CHUNK_ENDED | 1U << CHUNK_FAILED,
        [CHUNK_ENDED] = 0,
        [CHUNK_FAILED] = 0,
    };
    return (allowed[from] & 1U << to) != 0;
}

void chunk_enter(struct chunk *chunk, enum chunk_phase phase)
{
    struct member *member = chunk->member;
    struct generation *generation = member->generation;
    assert(is_allowed(chunk->phase, phase));
    if (chunk->phase == CHUNK_LOADING) {
        member->chunks_loading--;
    }
    chunk->phase = phase;
    if (phase != CHUNK_ENDED && phase != CHUNK_FAILED) {
        return;
    }
    chunk->task = NULL;
    member->chunks_open--;
    if (atomic_fetch_sub(&generation->chunks_open, 1) == 1 &&
        !atomic_exchange(&generation->end_noted, true)) {
        generation->ended.run = note_end;
        loop_post(generation->host->loop, &generation->ended);
    }
}

/* The last main chunk has returned. Coordinator. */
static void note_end(struct loop_task *task)
{
    generation_watch_end(LIST_ITEM(task, struct generation, ended));
}

/* (value) -> its text */
static int to_text(lua_State *L)
{
    (void)luaL_tolstring(L, 1, NULL);
    return 1;
}

/* The error value at index, with the traceback behind it if there is one, as text. Leaves the stack
 * as it was. */
static void describe_error(lua_State *L, int index, const char *traceback, char *out, size_t cap)
{
    const char *text = "(error value without a text)";
    int top = lua_gettop(L);
    if (lua_checkstack(L, LUA_MINSTACK) != 0) {
        lua_pushcfunction(L, to_text);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK || lua_type(L, -1) == LUA_TSTRING) {
            text = lua_tostring(L, -1);
        }
    }
    bool more = traceback != NULL && traceback[0] != '\0';
    (void)snprintf(out, cap, "%s%s%s", text, more ? "\n" : "", more ? traceback : "");
    lua_settop(L, top);
}

/* After an error its coroutine cannot call anything, so the text is made on the main thread. */
static void fail_chunk(struct chunk *chunk, lua_State *co, int nresults)
{
    char text[LOAD_TEXT_BYTES_MAX] = "not enough memory";
    struct member *member = chunk->member;
    lua_State *L = member->state.L;
    bool loading = chunk->phase == CHUNK_LOADING;
    if (lua_checkstack(L, nresults + 1) != 0) {
        int top = lua_gettop(L);
        lua_xmove(co, L, nresults);
        const char *traceback = nresults > 1 ? lua_tostring(L, top + 2) : NULL;
        describe_error(L, top + 1, traceback, text, sizeof text);
        lua_settop(L, top);
    }
    chunk_enter(chunk, CHUNK_FAILED);
    if (loading) {
        if (strcmp(text, "not enough memory") == 0) { /* Lua gives it no place */
            (void)snprintf(text, sizeof text, "%s: not enough memory (--limit memory=...)",
                           chunk->script->path);
        }
        member_fail_load(member, text);
    } else if (member->retire.phase != RETIRE_NONE && !host_is_stopping(member->host)) {
        log_write(member->host->log, LOG_LEVEL_ERROR, "gen %u, retiring: %s",
                  (unsigned)member->generation->number, text);
    } else {
        host_script_failed(member->host, text);
    }
}

void member_fail_load(struct member *member, const char *text)
{
    member->load_failed = true;
    fail_load(member->generation, HOST_EXIT_LOAD, text);
}

/* Keeps the first result of a script that is mounted, on the stack of the main thread, where
 * nothing can fail. */
static void keep_result(struct chunk *chunk, lua_State *co, int nresults)
{
    lua_State *L = chunk->member->state.L;
    if (chunk->script->mount == NULL || nresults == 0 || lua_isnil(co, -nresults) ||
        lua_checkstack(L, 1) == 0) {
        return;
    }
    lua_pushvalue(co, -nresults);
    lua_xmove(co, L, 1);
    chunk->result = lua_gettop(L);
}

static void on_chunk_end(struct task *task, enum task_end end, int nresults)
{
    struct chunk *chunk = task->owner;
    if (end == TASK_FAILED) {
        fail_chunk(chunk, task->co, nresults);
        return;
    }
    bool retiring = chunk->member->retire.phase > RETIRE_GOODBYE ||
                    chunk->member->state.phase == STATE_STOPPING;
    if (end == TASK_KILLED && !host_is_stopping(chunk->member->host) &&
        !retiring) { /* by the guard */
        fail_chunk(chunk, task->co, nresults);
        return;
    }
    if (end == TASK_RETURNED && chunk->phase == CHUNK_LOADING) {
        keep_result(chunk, task->co, nresults);
    }
    chunk_enter(chunk, CHUNK_ENDED);
}

struct chunk *chunk_of(lua_State *L)
{
    struct task *task = task_current(L);
    return task != NULL && task->on_end == on_chunk_end ? task->owner : NULL;
}

/* The script's text becomes a task, which runs until it waits or ends. */
static void start_chunk(struct chunk *chunk, const struct host_config *config)
{
    struct member *member = chunk->member;
    struct task *task = task_acquire(&member->state);
    if (task == NULL || lua_checkstack(task->co, (int)config->arg_count + LUA_MINSTACK) == 0) {
        chunk_enter(chunk, CHUNK_FAILED);
        member->load_failed = true;
        fail_load(member->generation, HOST_EXIT_INTERNAL, "not enough memory");
        return;
    }
    chunk->task = task;
    if (loadpath_load(task->co, chunk->script) != LUA_OK) {
        fail_chunk(chunk, task->co, 1);
        lua_settop(task->co, 0);
        task_release(task);
        return;
    }
    task->on_end = on_chunk_end;
    task->owner = chunk;
    task->name = "main";
    for (size_t i = 0; i < config->arg_count; i++) {
        (void)lua_pushstring(task->co, config->args[i]);
    }
    task_resume(task, (int)config->arg_count);
}

/* --- members -------------------------------------------------------------------------------------
 */

/* A main chunk's first wait in a pull counts as loaded; a queue that is pulled gets no receives of
 * dispatch. */
static void on_pull(struct state *S, struct task *task, uint64_t queue_id)
{
    struct member *member = S->host;
    if (task->on_end == on_chunk_end) {
        struct chunk *chunk = task->owner;
        if (chunk->phase == CHUNK_LOADING) {
            chunk_enter(chunk, CHUNK_PULLING);
        }
    }
    if (member->worker != NULL && member->worker->dispatch.state == S) {
        dispatch_pull(&member->worker->dispatch, queue_id);
    }
}

static void on_guard_wake(struct state *S)
{
    struct member *member = S->host;
    if (member->guard != NULL) {
        guard_wake(member->guard);
    }
}

/* Contract calls that the binding makes by itself go to the same trace as the ledger's. */
static void on_trace(struct state *S, const char *call, const char *object, ULONG result)
{
    struct member *member = S->host;
    host_trace(member->host, call, object, result);
}

/* A queue that the script has opened while serving: this worker alone takes its requests. */
static ULONG on_queue(struct state *S, uint64_t queue_id, HANDLE queue)
{
    struct member *member = S->host;
    if (member->worker == NULL) {
        return ERROR_OPERATION_ABORTED; /* never committed: the host stops */
    }
    struct dispatch *dispatch = &member->worker->dispatch;
    ULONG code = worker_attach_queue(member->worker, queue_id, queue);
    if (code == NO_ERROR && dispatch->state != NULL) {
        dispatch_set_state(dispatch, dispatch->state); /* posts on the new one */
    }
    return code;
}

static const struct state_hooks hooks = {
    .on_pull = on_pull, .on_guard_wake = on_guard_wake, .on_trace = on_trace, .on_queue = on_queue};

/* A state with everything a script finds. false: the generation's error says why. */
static bool open_member(struct member *member, struct generation *generation, uint16_t worker)
{
    struct host *host = generation->host;
    const char *text = "not enough memory";
    const struct state_config config = {
        .loop = host->loop,
        .ledger = host->ledger,
        .log = host->log,
        .hooks = &hooks,
        .host = member,
        .generation = generation->number,
        .worker = worker,
        .bytes_max = host->limits.memory_bytes,
        .dev = host->dev == NULL ? NULL : &dev_page,
    };
    member->host = host;
    member->generation = generation;
    member->chunks = calloc(generation->sources->scripts.count, sizeof *member->chunks);
    if (member->chunks == NULL || state_open(&member->state, &config) != NO_ERROR) {
        fail_load(generation, HOST_EXIT_INTERNAL, text);
        return false;
    }
    member->is_open = true;
    list_push_back(&host->members, &member->node);
    ULONG code = luaenv_open(member->state.L, host->config, &text);
    const struct script_list *scripts = &generation->sources->scripts;
    for (size_t i = 0; code == NO_ERROR && i < scripts->count; i++) {
        const char *folder = scripts->items[scripts->count - 1 - i].folder;
        code = folder == NULL ? NO_ERROR : luaenv_add_path(member->state.L, folder);
    }
    if (code != NO_ERROR) {
        fail_load(generation, code == ERROR_NOT_ENOUGH_MEMORY ? HOST_EXIT_LOAD : HOST_EXIT_INTERNAL,
                  text);
    }
    return code == NO_ERROR;
}

static bool is_loaded(void *ctx)
{
    const struct member *member = ctx;
    return member->chunks_loading == 0 || member->load_failed || host_is_stopping(member->host) ||
           reload_restarts(&member->host->reload);
}

/* (member, values...) -> -; makes the array of { path, mount, value } that lua/moonlatch/mount.lua
 * wants. */
static int mount_results(lua_State *L)
{
    const struct member *member = lua_touserdata(L, 1);
    lua_Integer count = 0;
    (void)lua_getglobal(L, "require");
    (void)lua_pushliteral(L, "moonlatch.mount");
    lua_call(L, 1, 1);
    lua_newtable(L);
    for (size_t i = 0; i < member->chunk_count; i++) {
        const struct chunk *chunk = &member->chunks[i];
        if (chunk->result == 0) {
            continue;
        }
        lua_createtable(L, 0, 3);
        (void)lua_pushstring(L, chunk->script->path);
        lua_setfield(L, -2, "path");
        (void)lua_pushstring(L, chunk->script->mount);
        lua_setfield(L, -2, "mount");
        lua_pushvalue(L, chunk->result + 1);
        lua_setfield(L, -2, "value");
        lua_rawseti(L, -2, ++count);
    }
    lua_call(L, 1, 0);
    return 0;
}

/* What the scripts of a directory returned becomes URLs. */
static bool mount_member(struct member *member)
{
    char text[LOAD_TEXT_BYTES_MAX];
    lua_State *L = member->state.L;
    int results = lua_gettop(L);
    if (results == 0) {
        return true;
    }
    if (lua_checkstack(L, results + 2) == 0) {
        fail_load(member->generation, HOST_EXIT_LOAD, "not enough memory");
        return false;
    }
    lua_pushcfunction(L, mount_results);
    lua_pushlightuserdata(L, member);
    for (int i = 1; i <= results; i++) {
        lua_pushvalue(L, i);
    }
    bool ok = lua_pcall(L, results + 1, 0, 0) == LUA_OK;
    if (!ok) {
        describe_error(L, lua_gettop(L), NULL, text, sizeof text);
        fail_load(member->generation, HOST_EXIT_LOAD, text);
    }
    lua_settop(L, 0);
    return ok;
}

/* Runs the main chunks until each is loaded. false: the generation's error says why, or the host
 * stops. */
static bool load_member(struct member *member)
{
    struct host *host = member->host;
    char text[LOAD_TEXT_BYTES_MAX];
    member->load_deadline_ns = clock_mono_ns() + host->limits.load_ns;
    guard_arm_loading(&member->state);
    const struct script_list *scripts = &member->generation->sources->scripts;
    member->chunk_count = member->chunks_loading = member->chunks_open = scripts->count;
    for (size_t i = 0; i < member->chunk_count; i++) {
        member->chunks[i].member = member;
        member->chunks[i].script = &scripts->items[i];
    }
    for (size_t i = 0; i < member->chunk_count && !is_loaded(member); i++) {
        start_chunk(&member->chunks[i], host->config);
    }
    bool over = host_wait(host, is_loaded, member, loop_now_ns(host->loop) + host->limits.load_ns);
    guard_disarm_loading(&member->state);
    if (!over) {
        for (size_t i = 0; i < member->chunk_count; i++) {
            if (member->chunks[i].phase == CHUNK_LOADING) {
                (void)snprintf(text, sizeof text,
                               "%s: not loaded after %.3g s: its main chunk neither returns nor "
                               "calls http.run",
                               member->chunks[i].script->path, (double)host->limits.load_ns / 1e9);
                fail_load(member->generation, HOST_EXIT_LOAD, text);
            }
        }
        return false;
    }
    if (member->load_failed || host_is_stopping(host) || member->chunks_loading > 0 ||
        !mount_member(member)) {
        return false;
    }
    if (host->dev != NULL && !dev_declare(member)) {
        fail_load(member->generation, HOST_EXIT_INTERNAL, "not enough memory");
        return false;
    }
    state_enter(&member->state, STATE_LOADED);
    return true;
}

void member_end_run(struct member *member)
{
    member->run_over = true;
    for (size_t i = 0; i < member->chunk_count; i++) {
        if (member->chunks[i].phase == CHUNK_WAITING) {
            task_wake(&member->chunks[i].wait);
        }
    }
}

void member_close(struct member *member)
{
    assert(member->guard == NULL);
    if (!member->is_open) {
        return;
    }
    if (member->state.phase != STATE_STOPPING) {
        state_enter(&member->state, STATE_STOPPING);
    }
    state_close(&member->state);
    dev_forget(member);
    list_remove(&member->node);
    member->is_open = false;
}

/* --- generations ---------------------------------------------------------------------------------
 */

void generation_enter(struct generation *generation, enum generation_phase phase)
{
    assert(phase > generation->phase);
    generation->phase = phase;
    generation->phase_ns = clock_mono_ns();
}

static bool read_scripts(struct generation *generation)
{
    char line[LOAD_TEXT_BYTES_MAX];
    struct buf why;
    if (generation->sources->frozen) {
        return true;
    }
    buf_init(&why, LOAD_TEXT_BYTES_MAX);
    ULONG code = sources_read_scripts(generation->sources, generation->host->config, &why);
    if (code != NO_ERROR) {
        (void)snprintf(line, sizeof line, "%.*s", (int)why.len,
                       why.p == NULL ? "no script" : why.p);
        bool file = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND ||
                    code == ERROR_ACCESS_DENIED;
        fail_load(generation, file ? HOST_EXIT_FILE : HOST_EXIT_LOAD, line);
    }
    buf_deinit(&why);
    return code == NO_ERROR;
}

struct generation *generation_load(struct host *host, struct sources *sources,
                                   struct load_error *error)
{
    memset(error, 0, sizeof *error);
    struct generation *generation = calloc(1, sizeof *generation);
    struct member *members = calloc(host->workers_wanted, sizeof *members);
    sources = sources == NULL ? sources_create() : sources_ref(sources);
    if (generation == NULL || members == NULL || sources == NULL) {
        free(generation);
        free(members);
        sources_unref(sources);
        error->exit_code = HOST_EXIT_INTERNAL;
        (void)snprintf(error->text, sizeof error->text, "not enough memory");
        return NULL;
    }
    generation->host = host;
    generation->number = ++host->generation_last;
    generation->phase = GENERATION_LOADING;
    generation->phase_ns = clock_mono_ns();
    generation->members = members;
    generation->sources = sources;
    atomic_init(&generation->is_withdrawn, false);
    generation->member_count = host->workers_wanted;
    generation->error = error;
    list_push_front(&host->generations, &generation->node);
    bool ok = read_scripts(generation);
    atomic_init(&generation->chunks_open,
                generation->sources->scripts.count * host->workers_wanted);
    for (size_t i = 0; ok && i < generation->member_count; i++) {
        ok = open_member(&members[i], generation, (uint16_t)i) && load_member(&members[i]);
    }
    generation->error = NULL;
    generation_enter(generation, ok ? GENERATION_LOADED : GENERATION_DISCARDED);
    return ok ? generation : NULL;
}

bool generation_is_live(const struct generation *generation)
{
    if (ledger_count_generation(generation->host->ledger, generation->number, NODE_URL) >
            generation->own_urls ||
        atomic_load(&generation->chunks_open) > 0) {
        return true;
    }
    for (size_t i = 0; generation->phase == GENERATION_LOADED && i < generation->member_count;
         i++) {
        if (state_count_live(&generation->members[i].state, LIVE_TASK) > 0) {
            return true;
        }
    }
    return false;
}

void generation_destroy(struct generation *generation)
{
    list_remove(&generation->node);
    for (size_t i = 0; i < generation->member_count; i++) {
        assert(!generation->members[i].is_open);
        free(generation->members[i].chunks);
    }
    sources_unref(generation->sources);
    free(generation->members);
    free(generation);
}

/* --- the end of a script that keeps nothing open -------------------------------------------------
 */

static bool has_no_tasks(const struct worker *worker)
{
    struct list_node *node, *next;
    LIST_FOREACH_SAFE(node, next, &worker->members)
    {
        if (state_count_live(&LIST_ITEM(node, struct member, node)->state, LIVE_TASK) > 0) {
            return false;
        }
    }
    return true;
}

void generation_watch_end(struct generation *generation)
{
    struct host *host = generation->host;
    if (generation != host->current || host->reload.running || host_is_stopping(host) ||
        host->watches_end || generation_is_live(generation)) {
        return;
    }
    host->watches_end = true;
    for (size_t i = 0; i < generation->member_count; i++) {
        worker_send(&host->workers[i], worker_do_nothing, has_no_tasks, NULL);
    }
}
