#include "runtime/sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host.h"

uint64_t sources_hash(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash | 1;
}

struct sources *sources_create(void)
{
    struct sources *sources = calloc(1, sizeof *sources);
    if (sources != NULL) {
        atomic_init(&sources->refs, 1);
        (void)pthread_mutex_init(&sources->mutex, NULL); /* cannot fail with default attributes */
    }
    return sources;
}

struct sources *sources_ref(struct sources *sources)
{
    atomic_fetch_add(&sources->refs, 1);
    return sources;
}

void sources_unref(struct sources *sources)
{
    if (sources == NULL || atomic_fetch_sub(&sources->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->files[i]->path);
        free(sources->files[i]->text);
        free(sources->files[i]);
    }
    free(sources->files);
    loadpath_deinit(&sources->scripts);
    (void)pthread_mutex_destroy(&sources->mutex);
    free(sources);
}

/* --- files; with the mutex ---------------------------------------------------------------------
 */

static struct source *find(const struct sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (strcmp(sources->files[i]->path, path) == 0) {
            return sources->files[i];
        }
    }
    return NULL;
}

/* A file that was not known. NULL: too many or no memory; it is then not followed. */
static struct source *add(struct sources *sources, const char *path)
{
    if (sources->count == SOURCES_FILES_MAX) {
        return NULL;
    }
    if (sources->count == sources->cap) {
        size_t cap = sources->cap == 0 ? 16 : sources->cap * 2;
        struct source **files = realloc(sources->files, cap * sizeof(struct source *));
        if (files == NULL) {
            return NULL;
        }
        sources->files = files;
        sources->cap = cap;
    }
    struct source *file = calloc(1, sizeof *file);
    size_t len = strlen(path);
    if (file == NULL || (file->path = malloc(len + 1)) == NULL) {
        free(file);
        return NULL;
    }
    memcpy(file->path, path, len + 1);
    sources->files[sources->count++] = file;
    atomic_fetch_add(&sources->version, 1);
    return file;
}

static struct source *get(struct sources *sources, const char *path)
{
    struct source *file = find(sources, path);
    return file == NULL ? add(sources, path) : file;
}

const struct source *sources_at(struct sources *sources, size_t index)
{
    (void)pthread_mutex_lock(&sources->mutex);
    const struct source *file = index < sources->count ? sources->files[index] : NULL;
    (void)pthread_mutex_unlock(&sources->mutex);
    return file;
}

/* --- reading -----------------------------------------------------------------------------------
 */

ULONG sources_read_scripts(struct sources *sources, const struct host_config *config,
                           struct buf *why)
{
    ULONG code = loadpath_expand(config->sources, config->source_count, &sources->scripts, why);
    (void)pthread_mutex_lock(&sources->mutex);
    for (size_t i = 0; i < sources->scripts.count; i++) {
        const struct script *script = &sources->scripts.items[i];
        struct source *file = script->folder == NULL ? NULL : get(sources, script->path);
        if (file != NULL) {
            file->hash = sources_hash(script->text, script->len);
        }
    }
    for (size_t i = 0; code != NO_ERROR && i < config->source_count; i++) {
        if (config->sources[i].path != NULL) { /* one of them is missing or cannot be read */
            (void)get(sources, config->sources[i].path);
        }
    }
    (void)pthread_mutex_unlock(&sources->mutex);
    return code;
}

static ULONG note_missing_file(struct sources *sources, const char *path, bool note)
{
    (void)pthread_mutex_lock(&sources->mutex);
    struct source *file = note ? get(sources, path) : find(sources, path);
    if (file != NULL && file->text == NULL) {
        file->hash = 0;
        file->missing = true;
    }
    (void)pthread_mutex_unlock(&sources->mutex);
    return ERROR_FILE_NOT_FOUND;
}

/* Kept texts stand for the file: true. Also for one that was missing in a frozen set. */
static bool recall(struct sources *sources, const char *path, bool keep, struct source_text *text,
                   ULONG *code)
{
    (void)pthread_mutex_lock(&sources->mutex);
    const struct source *file = keep || sources->frozen ? find(sources, path) : NULL;
    bool known = file != NULL && (file->text != NULL || file->missing);
    if (known) {
        *text = (struct source_text){.p = file->text, .len = file->len};
        *code = file->text == NULL ? ERROR_FILE_NOT_FOUND : NO_ERROR;
    }
    (void)pthread_mutex_unlock(&sources->mutex);
    return known;
}

ULONG sources_read(struct sources *sources, const char *path, bool keep, bool note_missing,
                   struct source_text *text)
{
    ULONG code = NO_ERROR;
    *text = (struct source_text){0};
    if (recall(sources, path, keep, text, &code)) {
        return code;
    }
    code = loadpath_read(path, &text->owned, &text->len, NULL);
    if (code == ERROR_FILE_NOT_FOUND) {
        return note_missing_file(sources, path, note_missing);
    }
    if (code != NO_ERROR) {
        return code;
    }
    text->p = text->owned;
    (void)pthread_mutex_lock(&sources->mutex);
    struct source *file = get(sources, path);
    if (file != NULL) {
        file->hash = sources_hash(text->p, text->len);
        file->missing = false;
        if (keep && file->text == NULL) {
            file->text = text->owned;
            file->len = text->len;
            text->owned = NULL;
        }
    }
    (void)pthread_mutex_unlock(&sources->mutex);
    return NO_ERROR;
}

void sources_give_back(struct source_text *text)
{
    free(text->owned);
    text->owned = NULL;
}
