#include "cli/stdfds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void stdfds_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
            return; /* the lowest free number is taken: another one means that there is no device */
        }
    }
}
