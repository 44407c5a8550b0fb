#include "cli/cores.h"

#include <unistd.h>

unsigned cores_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (unsigned)count;
}
