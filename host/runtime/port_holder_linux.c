/* Two steps: the listening sockets of the port from /proc/net/tcp and tcp6, then the process that
 * has one of them open. Format: proc(5); one line a socket, local address as hex "ADDRESS:PORT",
 * state 0A = listening, inode the tenth field. */
#include "runtime/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INODES_MAX = 16,  /* listeners of one port (IPv4, IPv6, several workers) that are looked for */
    PATH_BYTES = 512, /* "/proc/<pid>/fd/<fd>" and friends; dirent names are at most 255 */
    TCP_LISTEN = 0x0A
};

struct inodes {
    unsigned long items[INODES_MAX];
    size_t count;
};

/* Adds the inodes of the sockets that listen on the port. A file that cannot be read adds none. */
static void collect_inodes(const char *path, uint16_t port, struct inodes *found)
{
    char line[512];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    while (found->count < INODES_MAX && fgets(line, sizeof line, file) != NULL) {
        unsigned local_port = 0;
        unsigned state = 0;
        unsigned long inode = 0;
        /* The kernel writes no number that does not fit. */
        static const char format[] =
            " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %lu";
        int fields = sscanf(line, format, &local_port, &state, &inode); /* NOLINT(cert-err34-c) */
        if (fields == 3 && local_port == port && state == TCP_LISTEN && inode != 0) {
            found->items[found->count++] = inode;
        }
    }
    (void)fclose(file); /* read only: nothing can be lost */
}

static bool is_wanted(const struct inodes *wanted, const char *link)
{
    static const char head[] = "socket:[";
    if (strncmp(link, head, sizeof head - 1) != 0) {
        return false;
    }
    unsigned long inode = strtoul(link + sizeof head - 1, NULL, 10);
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->items[i] == inode) {
            return true;
        }
    }
    return false;
}

/* Whether the process has one of the sockets open. */
static bool process_holds(const char *pid, const struct inodes *wanted)
{
    char path[PATH_BYTES];
    char link[64];
    bool holds = false;
    (void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    for (struct dirent *entry; !holds && (entry = readdir(folder)) != NULL;) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        if (length > 0) {
            link[length] = '\0';
            holds = is_wanted(wanted, link);
        }
    }
    (void)closedir(folder);
    return holds;
}

static void describe(const char *pid, struct port_holder *out)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(out->name, sizeof out->name, file) == NULL) {
        (void)snprintf(out->name, sizeof out->name, "?");
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    out->name[strcspn(out->name, "\n")] = '\0';
    (void)snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
    ssize_t length = readlink(path, out->folder, sizeof out->folder - 1);
    out->folder[length > 0 ? length : 0] = '\0';
}

bool port_holder_find(uint16_t port, struct port_holder *out)
{
    struct inodes wanted = {{0}, 0};
    bool found = false;
    memset(out, 0, sizeof *out);
    collect_inodes("/proc/net/tcp", port, &wanted);
    collect_inodes("/proc/net/tcp6", port, &wanted);
    DIR *proc = wanted.count > 0 ? opendir("/proc") : NULL;
    if (proc == NULL) {
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (isdigit((unsigned char)entry->d_name[0]) && pid != (long)getpid() &&
            process_holds(entry->d_name, &wanted)) {
            out->pid = pid;
            describe(entry->d_name, out);
            found = true;
        }
    }
    (void)closedir(proc);
    return found;
}
