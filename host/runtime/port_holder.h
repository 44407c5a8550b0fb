/* Who holds a TCP port: for the message beside ERROR_SHARING_VIOLATION.
 *
 * Thread: any. Cost: reads the whole of /proc once; for the moment of failure only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct port_holder {
    long pid;         /* of one process that listens on the port */
    char name[64];    /* its command name */
    char folder[256]; /* where it runs, or empty when that may not be read */
};

/* false: nobody found, or it belongs to another user. On systems without such a list always false.
 */
bool port_holder_find(uint16_t port, struct port_holder *out);
