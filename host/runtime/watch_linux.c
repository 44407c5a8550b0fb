/* inotify on folders: the way by which Linux tells of changes. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/hostdata.h"
#include "runtime/watch_internal.h"

enum {
    LINKS_MAX = 16, /* symbolic links followed for one path */
    FOLDERS_MAX = 8192,
    EVENT_BYTES = 16384
};

#define STRUCTURE_EVENTS                                                                           \
    (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF |         \
     IN_ONLYDIR)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_MODIFY)

/* A name in a folder that matters. item WATCH_ALL: a part of the way to one. */
struct name {
    char *text;
    size_t item;
};

struct folder {
    char *path;
    int wd;         /* -1: not watched (any more) */
    bool marked;    /* belongs to the present set */
    bool has_files; /* some name is an item: its bytes matter */
    size_t tree;    /* item of a tree that it belongs to; WATCH_ALL: none */
    struct name *names;
    size_t count, cap;
};

struct watch_os {
    struct watch *watch;
    struct host *host;
    struct loop_watch ready; /* fd: inotify's */
    struct folder *folders;
    size_t count, cap;
    bool told_limit;
};

/* --- folders and names -------------------------------------------------------------------------
 */

static void clear_names(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        free(folder->names[i].text);
    }
    folder->count = 0;
    folder->has_files = false;
    folder->tree = WATCH_ALL;
}

static struct folder *get_folder(struct watch_os *os, const char *path)
{
    for (size_t i = 0; i < os->count; i++) {
        if (strcmp(os->folders[i].path, path) == 0) {
            os->folders[i].marked = true;
            return &os->folders[i];
        }
    }
    if (os->count == os->cap) {
        size_t cap = os->cap == 0 ? 16 : os->cap * 2;
        struct folder *folders =
            cap > FOLDERS_MAX ? NULL : realloc(os->folders, cap * sizeof *folders);
        if (folders == NULL) {
            return NULL;
        }
        os->folders = folders;
        os->cap = cap;
    }
    struct folder *folder = &os->folders[os->count];
    memset(folder, 0, sizeof *folder);
    folder->wd = -1;
    folder->tree = WATCH_ALL;
    folder->marked = true;
    folder->path = strdup(path);
    os->count += folder->path != NULL ? 1 : 0;
    return folder->path != NULL ? folder : NULL;
}

static void add_name(struct watch_os *os, const char *path, struct slice text, size_t item)
{
    struct folder *folder = get_folder(os, path);
    if (folder == NULL) {
        return;
    }
    folder->has_files = folder->has_files || item != WATCH_ALL;
    for (size_t i = 0; i < folder->count; i++) {
        const struct name *name = &folder->names[i];
        if (name->item == item && slice_equal(slice_from_cstr(name->text), text)) {
            return;
        }
    }
    if (folder->count == folder->cap) {
        size_t cap = folder->cap == 0 ? 8 : folder->cap * 2;
        struct name *names = realloc(folder->names, cap * sizeof *names);
        if (names == NULL) {
            return;
        }
        folder->names = names;
        folder->cap = cap;
    }
    char *copy = strndup(text.p, text.len);
    if (copy != NULL) {
        folder->names[folder->count++] = (struct name){copy, item};
    }
}

/* --- the way to an item ------------------------------------------------------------------------
 */

static void follow_path(struct watch_os *os, const char *path, size_t item, unsigned links);

/* At a symbolic link whose name ends at `end` of the path: goes on where it leads. */
static void follow_link(struct watch_os *os, const char *path, size_t start, size_t end,
                        size_t item, unsigned links)
{
    char here[PATH_MAX];
    char target[PATH_MAX];
    char whole[PATH_MAX * 2 + 2];
    (void)snprintf(here, sizeof here, "%.*s", (int)end, path);
    ssize_t len = readlink(here, target, sizeof target - 1);
    if (len <= 0 || links >= LINKS_MAX) {
        return;
    }
    target[len] = '\0';
    if (target[0] == '/') {
        (void)snprintf(whole, sizeof whole, "%s%s", target, path + end);
    } else {
        (void)snprintf(whole, sizeof whole, "%.*s%s%s", (int)start, path, target, path + end);
    }
    follow_path(os, whole, item, links + 1);
}

/* path: absolute. Every folder on the way is watched for the next name. */
static void follow_path(struct watch_os *os, const char *path, size_t item, unsigned links)
{
    size_t start = 1; /* of a name */
    while (path[start] != '\0') {
        char folder[PATH_MAX];
        char here[PATH_MAX];
        struct stat info;
        size_t len = strcspn(path + start, "/");
        size_t end = start + len;
        bool is_last = path[end + strspn(path + end, "/")] == '\0';
        if (len == 0 || (len == 1 && path[start] == '.')) {
            start = end + 1;
            continue;
        }
        (void)snprintf(folder, sizeof folder, "%.*s", start > 1 ? (int)start - 1 : 1, path);
        (void)snprintf(here, sizeof here, "%.*s", (int)end, path);
        add_name(os, folder, slice_make(path + start, len), is_last ? item : WATCH_ALL);
        if (lstat(here, &info) != 0) {
            return; /* its folder tells when it is made */
        }
        if (S_ISLNK(info.st_mode)) {
            follow_link(os, path, start, end, item, links);
            return;
        }
        if (is_last) {
            return;
        }
        start = end + 1;
    }
}

/* Every folder below, without those whose names begin with '.' or '_'. */
static void follow_tree(struct watch_os *os, const char *path, size_t item,
                        const struct watch_level *above, unsigned *visited);

static void follow_below(struct watch_os *os, const char *path, const char *name, size_t item,
                         const struct watch_level *level)
{
    char below[PATH_MAX];
    struct stat info;
    int len = snprintf(below, sizeof below, "%s/%s", path, name);
    if (len > 0 && (size_t)len < sizeof below && stat(below, &info) == 0 && S_ISDIR(info.st_mode)) {
        follow_tree(os, below, item, level, level->visited);
    }
}

static void follow_tree(struct watch_os *os, const char *path, size_t item,
                        const struct watch_level *above, unsigned *visited)
{
    struct watch_level level;
    const struct dirent *entry;
    if (!watch_enter(&level, above, path, visited)) {
        return;
    }
    struct folder *folder = get_folder(os, path);
    if (folder == NULL) {
        return;
    }
    folder->tree = item;
    DIR *stream = opendir(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.' && entry->d_name[0] != '_') {
            follow_below(os, path, entry->d_name, item, &level);
        }
    }
    if (stream != NULL) {
        (void)closedir(stream);
    }
}

/* "/a/./b//c" becomes "/a/b/c", in place. */
static void shorten(char *path)
{
    char *to = path;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at + 1, "/");
        if (len > 0 && !(len == 1 && at[1] == '.')) {
            memmove(to, at, len + 1);
            to += len + 1;
        }
        at += len + 1;
    }
    *to = '\0';
}

static void follow_item(struct watch_os *os, size_t item)
{
    char whole[PATH_MAX * 2];
    char here[PATH_MAX];
    bool is_tree = false;
    unsigned visited = 0;
    const char *path = watch_item_path(os->watch, item, &is_tree);
    if (path[0] == '/') {
        (void)snprintf(whole, sizeof whole, "%s", path);
    } else if (getcwd(here, sizeof here) != NULL) {
        (void)snprintf(whole, sizeof whole, "%s/%s", here, path);
    } else {
        return;
    }
    shorten(whole);
    follow_path(os, whole, item, 0);
    if (is_tree) {
        follow_tree(os, whole, item, NULL, &visited);
    }
}

/* --- the kernel's side -------------------------------------------------------------------------
 */

static void arm(struct watch_os *os, struct folder *folder)
{
    /* Two of our folders may be one to the kernel: neither takes events from the other. */
    uint32_t mask = STRUCTURE_EVENTS | IN_MASK_ADD;
    mask |= folder->has_files || folder->tree != WATCH_ALL ? FILE_EVENTS : 0;
    folder->wd = inotify_add_watch(os->ready.fd, folder->path, mask);
    if (folder->wd < 0 && errno == ENOSPC && !os->told_limit) {
        os->told_limit = true;
        log_write(os->host->log, LOG_LEVEL_WARN,
                  "watch: the system allows no more inotify watches (fs.inotify.max_user_watches); "
                  "%s is not followed; --watch=poll:200 needs none",
                  folder->path);
    }
}

static bool is_shared(const struct watch_os *os, const struct folder *folder)
{
    for (size_t i = 0; i < os->count; i++) {
        if (&os->folders[i] != folder && os->folders[i].marked && os->folders[i].wd == folder->wd) {
            return true;
        }
    }
    return false;
}

void watch_os_follow(struct watch_os *os)
{
    size_t kept = 0;
    for (size_t i = 0; i < os->count; i++) {
        os->folders[i].marked = false;
        clear_names(&os->folders[i]);
    }
    for (size_t i = 0; i < watch_item_count(os->watch); i++) {
        follow_item(os, i);
    }
    for (size_t i = 0; i < os->count; i++) {
        if (os->folders[i].marked) {
            arm(os, &os->folders[i]); /* a folder that was made anew has another inode */
        }
    }
    for (size_t i = 0; i < os->count; i++) {
        struct folder *folder = &os->folders[i];
        if (folder->marked) {
            os->folders[kept++] = *folder;
            continue;
        }
        if (folder->wd >= 0 && !is_shared(os, folder)) {
            (void)inotify_rm_watch(os->ready.fd, folder->wd); /* gone already: fine */
        }
        clear_names(folder);
        free(folder->names);
        free(folder->path);
    }
    os->count = kept;
}

/* What one event means for one folder. */
static void take_event(struct watch_os *os, struct folder *folder,
                       const struct inotify_event *event)
{
    bool at_once = (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0;
    bool moves = (event->mask & (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM)) != 0;
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
        if ((event->mask & IN_IGNORED) != 0) {
            folder->wd = -1;
        }
        watch_note(os->watch, WATCH_ALL, false, true);
        return;
    }
    if (event->len == 0) {
        return;
    }
    for (size_t i = 0; i < folder->count; i++) {
        if (strcmp(folder->names[i].text, event->name) == 0) {
            watch_note(os->watch, folder->names[i].item, at_once, moves);
            return;
        }
    }
    size_t len = strlen(event->name);
    bool is_folder = (event->mask & IN_ISDIR) != 0;
    bool is_script = len > 4 && strcmp(event->name + len - 4, ".lua") == 0;
    if (folder->tree != WATCH_ALL && event->name[0] != '.' && event->name[0] != '_' &&
        (is_folder || is_script)) {
        watch_note(os->watch, folder->tree, at_once && !is_folder, is_folder);
    }
}

static void on_ready(struct loop_watch *ready, unsigned events)
{
    struct watch_os *os = LIST_ITEM(ready, struct watch_os, ready);
    _Alignas(struct inotify_event) char bytes[EVENT_BYTES];
    (void)events;
    ssize_t got = read(ready->fd, bytes, sizeof bytes);
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const void *)(bytes + at);
        at += (ssize_t)(sizeof *event + event->len);
        if ((event->mask & IN_Q_OVERFLOW) != 0) {
            watch_note(os->watch, WATCH_ALL, false, true);
            continue;
        }
        for (size_t i = 0; i < os->count; i++) { /* one folder may have several names */
            if (os->folders[i].wd == event->wd) {
                take_event(os, &os->folders[i], event);
            }
        }
    }
    watch_settle(os->watch);
}

ULONG watch_os_open(struct watch *watch, struct host *host, struct watch_os **out)
{
    struct watch_os *os = calloc(1, sizeof *os);
    *out = NULL;
    if (os == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    os->watch = watch;
    os->host = host;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    os->ready = (struct loop_watch){.on_ready = on_ready, .fd = fd, .events = LOOP_READABLE};
    ULONG code = fd < 0 ? (ULONG)ERROR_NOT_SUPPORTED : loop_watch_start(host->loop, &os->ready);
    if (code != NO_ERROR) {
        if (fd >= 0) {
            (void)close(fd);
        }
        free(os);
        return code;
    }
    *out = os;
    return NO_ERROR;
}

void watch_os_close(struct watch_os *os)
{
    if (os == NULL) {
        return;
    }
    loop_watch_stop(os->host->loop, &os->ready);
    for (size_t i = 0; i < os->count; i++) {
        clear_names(&os->folders[i]);
        free(os->folders[i].names);
        free(os->folders[i].path);
    }
    free(os->folders);
    (void)close(os->ready.fd);
    free(os);
}
