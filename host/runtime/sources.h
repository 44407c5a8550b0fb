/* What a generation was loaded from: its scripts, and every other file that its loader opened
 * (require, dofile, loadfile), as it was read.
 *
 * While a generation loads, a file is read once, however many workers ask for it: all of them run
 * the same bytes even when the file is being saved, and the bytes whose hash the watcher knows are
 * the bytes that were compiled. The texts are kept for as long as `ctl rollback` may want them:
 * rolled back, a generation reads nothing from the disk that it had read before.
 *
 * Owner: counted; the generations and the host hold it. Thread: any; a mutex. Limits:
 * SOURCES_FILES_MAX files, LOADPATH_SCRIPT_BYTES_MAX each. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "api/httpapi.h"
#include "base/slice.h"
#include "runtime/loadpath.h"

struct host_config;

enum { SOURCES_FILES_MAX = 16384 };

/* One file. The strings are ours and never change. */
struct source {
    char *path;
    char *text; /* NULL: not kept */
    size_t len;
    uint64_t hash; /* of what was read last; 0: it was missing */
    bool missing;  /* looked for and not found */
};

struct sources {
    pthread_mutex_t mutex;
    _Atomic unsigned refs;
    _Atomic unsigned version; /* grows with each file that was not known before */
    struct script_list scripts;
    struct source **files;
    size_t count, cap;
    bool frozen; /* texts that are kept stand for the files */
};

/* Empty, with one reference. NULL: no memory. */
struct sources *sources_create(void);
struct sources *sources_ref(struct sources *sources);
/* NULL is harmless. */
void sources_unref(struct sources *sources);

/* Reads what the command line names. why: one line when it fails. */
ULONG sources_read_scripts(struct sources *sources, const struct host_config *config,
                           struct buf *why);

/* A file's text. keep: a state that loads asks, and others may ask after it. text->p is valid until
 * sources_give_back. Errors: ERROR_FILE_NOT_FOUND (noted when note_missing) and as reading gives.
 */
struct source_text {
    const char *p;
    size_t len;
    char *owned;
};
ULONG sources_read(struct sources *sources, const char *path, bool keep, bool note_missing,
                   struct source_text *text);
void sources_give_back(struct source_text *text);

/* The file's place, NULL past the end. For the watcher. */
const struct source *sources_at(struct sources *sources, size_t index);

/* FNV-1a over 64 bits, never 0: a change is to be noticed, nobody gains by a collision. */
uint64_t sources_hash(const char *text, size_t len);

/* Replaces dofile, loadfile and the searcher of Lua files by ones that read through the sources of
 * the state's generation. After modules_preload. [-0, +0, e] in protected mode; LUA_OK or an error
 * on top. */
int sources_install(lua_State *L);
