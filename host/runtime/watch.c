/* What is followed, and when a change becomes a reload. */
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/hostdata.h"
#include "runtime/loadpath.h"
#include "runtime/sources.h"
#include "runtime/watch_internal.h"

enum { POLL_DEFAULT_MS = 200 };

struct item {
    char *path;
    bool is_tree;
    bool marked; /* watch_follow: belongs to the new set */
    bool forced; /* an event named it: its stamp proves nothing */
    bool ignored;
    bool complete;  /* an event since the last look said that it was written and closed, or moved */
    uint64_t doubt; /* else this hash was seen once and is to be seen again; 0 at: none */
    uint64_t doubt_at_ns;    /* clock_mono_ns when it was seen first */
    uint64_t doubt_since_ns; /* and when the file began to change */
    bool asked;              /* a reload was asked for what it is now: */
    uint64_t seen;           /* this hash */
    uint64_t hash;           /* of what was loaded; 0: missing */
    struct watch_stamp stamp;
    unsigned self; /* loads in a row during which it has changed */
};

struct watch {
    struct host *host;
    struct watch_os *os; /* NULL: polling */
    uint64_t poll_ns;
    struct loop_timer timer;    /* the quiet time, or the next poll */
    uint64_t quiet_since_ns;    /* of the first event; 0: none */
    bool noted, urgent;         /* events since the last look; one of them is complete */
    bool structure;             /* folders are to be watched anew */
    bool doubts;                /* the last look left something to be seen again */
    unsigned version;           /* of the sources at the last look */
    const struct sources *last; /* whose version that is; only compared */
    uint64_t rapid_since_ns;
    unsigned rapid;
    struct item *items;
    size_t count, cap;
};

/* --- looking --------------------------------------------------------------------------------- */

static bool is_script_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && name[0] != '_' && len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

bool watch_enter(struct watch_level *level, const struct watch_level *above, const char *path,
                 unsigned *visited)
{
    struct watch_stamp stamp;
    unsigned depth = above == NULL ? 0 : above->depth + 1;
    if (depth > LOADPATH_DEPTH_MAX || *visited >= LOADPATH_FOLDERS_MAX ||
        !watch_stat(path, &stamp)) {
        return false;
    }
    for (const struct watch_level *at = above; at != NULL && stamp.inode != 0; at = at->above) {
        if (at->inode == stamp.inode && at->device == stamp.device) {
            return false;
        }
    }
    ++*visited;
    *level = (struct watch_level){above, stamp.device, stamp.inode, visited, depth};
    return true;
}

/* The names of the scripts below a folder, in any order. */
static uint64_t hash_tree(const char *path, const struct watch_level *above, unsigned *visited)
{
    struct watch_level level;
    uint64_t sum = 1;
    DIR *folder = watch_enter(&level, above, path, visited) ? opendir(path) : NULL;
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char below[WATCH_PATH_BYTES_MAX];
        struct stat info;
        int len = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || entry->d_name[0] == '_' || len < 0 ||
            (size_t)len >= sizeof below || stat(below, &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            sum += hash_tree(below, &level, visited) - 1;
        } else if (is_script_name(entry->d_name)) {
            sum += sources_hash(below, (size_t)len);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return sum == 0 ? 1 : sum;
}

static uint64_t hash_whole_tree(const char *path)
{
    unsigned visited = 0;
    return hash_tree(path, NULL, &visited);
}

static uint64_t hash_file(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    if (loadpath_read(path, &text, &len, NULL) != NO_ERROR) {
        return 0;
    }
    uint64_t hash = sources_hash(text, len);
    free(text);
    return hash;
}

/* A stamp is too young to be trusted while the clock of the file system stands at it. */
static bool is_fresh(const struct watch_stamp *stamp)
{
    int64_t age_s = clock_wall_s() - stamp->seconds;
    return age_s <= 1;
}

/* The present hash; 0: missing. Reads only when the stamp, or an event, gives a reason. */
static uint64_t look(struct item *item)
{
    struct watch_stamp now;
    if (item->is_tree) {
        item->forced = false;
        return hash_whole_tree(item->path);
    }
    if (!watch_stat(item->path, &now)) {
        item->forced = false;
        memset(&item->stamp, 0, sizeof item->stamp);
        return 0;
    }
    bool same = !item->forced && memcmp(&now, &item->stamp, sizeof now) == 0 && !is_fresh(&now);
    if (same) {
        return item->asked ? item->seen : item->hash;
    }
    item->forced = false;
    item->stamp = now;
    return hash_file(item->path);
}

bool watch_differs(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct item *item = &watch->items[i];
        if (!item->ignored) {
            item->forced = true;
            if (look(item) != item->hash) {
                return true;
            }
        }
    }
    return false;
}

/* --- from a change to a reload --------------------------------------------------------------- */

static uint64_t slow_down(struct watch *watch)
{
    uint64_t now_ns = clock_mono_ns();
    if (now_ns - watch->rapid_since_ns > UINT64_C(1000000000)) {
        watch->rapid_since_ns = now_ns;
        watch->rapid = 0;
    }
    watch->rapid++;
    if (watch->rapid == WATCH_RAPID_MAX) {
        log_write(watch->host->log, LOG_LEVEL_WARN,
                  "watch: %d reloads within a second; slowed down", WATCH_RAPID_MAX);
    }
    return watch->rapid < WATCH_RAPID_MAX ? 0 : UINT64_C(100000000);
}

static const char *shorten(const char *path)
{
    return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

/* Whether a look came upon a file that somebody may be writing: no event has called it complete,
 * and it was not the same for the quiet time yet. Cut to nothing, which is how many programs begin
 * to save, a module still loads, and the writer may be long in coming: a busy machine. */
static bool is_doubtful(struct item *item, uint64_t hash)
{
    const uint64_t millisecond_ns = 1000000;
    uint64_t now_ns = clock_mono_ns();
    bool complete = item->complete || item->is_tree;
    bool empty = hash != 0 && item->stamp.bytes == 0;
    uint64_t quiet_ms = empty ? WATCH_EMPTY_MS : WATCH_QUIET_MS - 1;
    uint64_t quiet_max_ms = empty ? WATCH_EMPTY_MS : WATCH_QUIET_MAX_MS;
    item->complete = false;
    if (!complete && item->doubt_at_ns == 0) {
        item->doubt_since_ns = now_ns;
    }
    if (!complete && (item->doubt_at_ns == 0 || item->doubt != hash)) {
        item->doubt = hash;
        item->doubt_at_ns = now_ns;
    }
    bool doubtful = !complete && now_ns - item->doubt_at_ns < quiet_ms * millisecond_ns &&
                    now_ns - item->doubt_since_ns < quiet_max_ms * millisecond_ns;
    if (!doubtful) {
        item->doubt_at_ns = 0;
    }
    return doubtful;
}

/* The first item that differs from what was loaded and was not asked for yet; all such are noted.
 */
static const struct item *find_changed(struct watch *watch)
{
    const struct item *first = NULL;
    watch->doubts = false;
    for (size_t i = 0; i < watch->count; i++) {
        struct item *item = &watch->items[i];
        uint64_t hash = item->ignored ? 0 : look(item);
        if (item->ignored || hash == (item->asked ? item->seen : item->hash)) {
            item->complete = false;
            item->doubt_at_ns = 0;
            continue;
        }
        if (is_doubtful(item, hash)) {
            item->forced = watch->doubts = true;
            continue;
        }
        item->asked = hash != item->hash;
        item->seen = hash;
        first = first == NULL && item->asked ? item : first;
    }
    return first;
}

static void forget_asked(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        watch->items[i].asked = false;
    }
}

/* Looks at every item; asks for one reload when something differs. */
static void check(struct watch *watch)
{
    const struct item *item = find_changed(watch);
    uint64_t wait_ns = item == NULL ? 0 : slow_down(watch);
    if (wait_ns > 0) {
        forget_asked(watch);
        loop_timer_start(watch->host->loop, &watch->timer, wait_ns);
    } else if (item != NULL) {
        reload_request_watched(watch->host, shorten(item->path));
    }
    if (wait_ns == 0 && watch->doubts) {
        loop_timer_start(watch->host->loop, &watch->timer, UINT64_C(1000000) * WATCH_QUIET_MS);
    }
}

static void look_now(struct watch *watch)
{
    watch->quiet_since_ns = 0;
    watch->noted = watch->urgent = false;
    check(watch);
    if (watch->structure && watch->os != NULL && !watch->host->reload.wanted) {
        watch->structure = false;
        watch_os_follow(watch->os);
        check(watch); /* what has changed before the new folders were watched */
    }                 /* else after the load, by watch_follow: the save should not wait for it */
}

static void on_timer(struct loop_timer *timer)
{
    struct watch *watch = LIST_ITEM(timer, struct watch, timer);
    look_now(watch);
    if (watch->os == NULL && !loop_timer_is_running(timer)) {
        loop_timer_start(watch->host->loop, timer, watch->poll_ns);
    }
}

void watch_note(struct watch *watch, size_t item, bool at_once, bool structure)
{
    for (size_t i = 0; i < watch->count; i++) {
        watch->items[i].forced = watch->items[i].forced || item == WATCH_ALL || item == i;
        watch->items[i].complete = watch->items[i].complete || (at_once && item == i);
    }
    watch->noted = true;
    watch->urgent = watch->urgent || at_once;
    watch->structure = watch->structure || structure;
}

void watch_settle(struct watch *watch)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t quiet_ns = UINT64_C(1000000) * WATCH_QUIET_MS;
    if (!watch->noted) {
        return;
    }
    if (watch->urgent && !watch->host->reload.broken) {
        loop_timer_stop(watch->host->loop, &watch->timer);
        look_now(watch);
        return;
    }
    if (watch->quiet_since_ns == 0) {
        watch->quiet_since_ns = now_ns;
    }
    if (now_ns - watch->quiet_since_ns + quiet_ns <= UINT64_C(1000000) * WATCH_QUIET_MAX_MS) {
        loop_timer_start(watch->host->loop, &watch->timer, quiet_ns);
    } /* else the timer that runs is the last one */
}

/* --- what is followed ------------------------------------------------------------------------ */

size_t watch_item_count(const struct watch *watch)
{
    return watch->count;
}

const char *watch_item_path(const struct watch *watch, size_t item, bool *is_tree)
{
    *is_tree = watch->items[item].is_tree;
    return watch->items[item].path;
}

static struct item *find(struct watch *watch, const char *path)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (strcmp(watch->items[i].path, path) == 0) {
            return &watch->items[i];
        }
    }
    return NULL;
}

static bool is_unwanted(const struct watch *watch, const char *path)
{
    const struct host_config *config = watch->host->config;
    for (size_t i = 0; i < config->watch_ignore_count; i++) {
        if (watch_matches(config->watch_ignore[i], shorten(path))) {
            return true;
        }
    }
    return false;
}

/* NULL: unwanted, or no memory: it is then not followed. */
static struct item *add(struct watch *watch, const char *path, bool is_tree)
{
    struct item *item = find(watch, path);
    if (item != NULL || is_unwanted(watch, path)) {
        return item;
    }
    if (watch->count == watch->cap) {
        size_t cap = watch->cap == 0 ? 16 : watch->cap * 2;
        struct item *items = realloc(watch->items, cap * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        watch->items = items;
        watch->cap = cap;
    }
    item = &watch->items[watch->count];
    memset(item, 0, sizeof *item);
    item->path = strdup(path);
    item->is_tree = is_tree;
    if (item->path == NULL) {
        return NULL;
    }
    watch->count++;
    watch->structure = true;
    return item;
}

/* What was loaded is `hash`. The stamp is taken after the read: a save in between shows as another
 * hash when an event, or the next look, comes. */
static void set_loaded(struct watch *watch, struct item *item, uint64_t hash)
{
    item->marked = true;
    item->hash = hash;
    item->asked = false;
    item->forced = true;
    uint64_t now = item->ignored ? hash : look(item);
    item->forced = now != hash; /* it has changed meanwhile: the next look reads it again */
    item->self = now != hash ? item->self + 1 : 0;
    if (item->self >= WATCH_SELF_MAX && !item->ignored) {
        item->ignored = true;
        log_write(watch->host->log, LOG_LEVEL_WARN,
                  "watch: %s changes whenever it is loaded: written by the script itself, not "
                  "followed any more",
                  item->path);
    }
}

static void follow_tree(struct watch *watch, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return;
    }
    struct item *item = add(watch, path, true);
    if (item != NULL) {
        item->marked = true;
        item->hash = hash_whole_tree(path);
        item->asked = false;
    }
}

static void follow_found(void *ctx, const char *path)
{
    struct watch *watch = ctx;
    struct item *item = add(watch, path, false);
    if (item != NULL) {
        set_loaded(watch, item, hash_file(item->path));
    }
}

static void drop_unmarked(struct watch *watch)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->items[i].marked) {
            watch->items[kept++] = watch->items[i];
        } else {
            free(watch->items[i].path);
            watch->structure = true;
        }
    }
    watch->count = kept;
}

static bool has_pending(const struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->items[i].forced) {
            return true;
        }
    }
    return false;
}

static void follow_sources(struct watch *watch, struct sources *sources)
{
    const struct source *file;
    for (size_t i = 0; (file = sources_at(sources, i)) != NULL; i++) {
        struct item *item = add(watch, file->path, false);
        if (item != NULL) {
            set_loaded(watch, item, sources->frozen ? hash_file(item->path) : file->hash);
        }
    }
    watch->last = sources;
    watch->version = atomic_load(&sources->version);
}

void watch_follow(struct watch *watch, struct sources *sources, bool more)
{
    const struct host_config *config = watch->host->config;
    for (size_t i = 0; i < watch->count; i++) {
        watch->items[i].marked = more;
    }
    follow_sources(watch, sources);
    for (size_t i = 0; i < config->source_count; i++) {
        if (config->sources[i].path != NULL) {
            follow_tree(watch, config->sources[i].path);
        }
    }
    for (size_t i = 0; i < config->watch_also_count; i++) {
        watch_find(config->watch_also[i], follow_found, watch);
    }
    drop_unmarked(watch);
    bool anew = watch->structure && watch->os != NULL;
    if (anew) {
        watch->structure = false;
        watch_os_follow(watch->os);
    }
    /* A file may have changed before its folder was watched. */
    if (watch->os != NULL && (anew || has_pending(watch))) {
        loop_timer_start(watch->host->loop, &watch->timer, UINT64_C(1000000) * WATCH_QUIET_MS);
    }
}

void watch_refresh(struct watch *watch, struct sources *sources)
{
    if (watch->last == sources && atomic_load(&sources->version) != watch->version) {
        watch_follow(watch, sources, true);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

ULONG watch_open(struct host *host, unsigned poll_ms, struct watch **out)
{
    struct watch *watch = calloc(1, sizeof *watch);
    ULONG code = watch == NULL ? ERROR_NOT_ENOUGH_MEMORY : NO_ERROR;
    *out = NULL;
    if (code == NO_ERROR) {
        watch->host = host;
        watch->timer.on_fire = on_timer;
        code = poll_ms > 0 ? ERROR_NOT_SUPPORTED : watch_os_open(watch, host, &watch->os);
    }
    if (code == ERROR_NOT_SUPPORTED) {
        watch->poll_ns = UINT64_C(1000000) * (poll_ms > 0 ? poll_ms : POLL_DEFAULT_MS);
        loop_timer_start(host->loop, &watch->timer, watch->poll_ns);
        code = NO_ERROR;
    }
    if (code != NO_ERROR) {
        free(watch);
        return code;
    }
    *out = watch;
    return NO_ERROR;
}

void watch_close(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    loop_timer_stop(watch->host->loop, &watch->timer);
    watch_os_close(watch->os);
    for (size_t i = 0; i < watch->count; i++) {
        free(watch->items[i].path);
    }
    free(watch->items);
    free(watch);
}

size_t watch_count(const struct watch *watch)
{
    return watch->count;
}

const char *watch_way(const struct watch *watch)
{
    return watch->os == NULL ? "poll" : "inotify";
}
