/* Runs a fuzz target once over each file of the folders named on the command line, so that a
 * corpus is a regression test in every build, with or without libFuzzer.
 * Exit: 0 all inputs ran, 77 no folder has an input, 1 an input could not be read. A target that
 * finds a fault ends the process by itself (assert, sanitizer). */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)1 << 20)
#define PATH_BYTES_MAX  4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds one file to the target from a heap block of exactly its size: a read past the end is seen
 * by the sanitizer. Returns 0, or 1 when the file cannot be read or is too large. */
static int feed(const char *path)
{
    int result = 1;
    uint8_t *exact = NULL;
    uint8_t *room = malloc(INPUT_BYTES_MAX + 1);
    FILE *file = fopen(path, "rb");

    if (file == NULL || room == NULL) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        goto out;
    }
    size_t size = fread(room, 1, INPUT_BYTES_MAX + 1, file);
    if (ferror(file) || size > INPUT_BYTES_MAX) {
        fprintf(stderr, "replay: %s is unreadable or larger than %zu\n", path, INPUT_BYTES_MAX);
        goto out;
    }
    exact = malloc(size ? size : 1);
    if (exact == NULL) {
        goto out;
    }
    memcpy(exact, room, size);
    (void)LLVMFuzzerTestOneInput(exact, size); /* its result has no meaning by definition */
    result = 0;
out:
    if (file != NULL) {
        fclose(file);
    }
    free(exact);
    free(room);
    return result;
}

/* Feeds each file of one folder; adds to *count. A folder that is not there has no files. */
static int feed_folder(const char *folder, size_t *count)
{
    int result = 0;
    DIR *dir = opendir(folder);

    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[PATH_BYTES_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path || feed(path) != 0) {
            result = 1;
            continue;
        }
        (*count)++;
    }
    closedir(dir);
    return result;
}

int main(int argc, char **argv)
{
    int result = 0;
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        result |= feed_folder(argv[i], &count);
    }
    printf("replayed %zu inputs\n", count);
    if (result == 0 && count == 0) {
        return 77;
    }
    return result;
}
