#include "cli/stdfds.h"

void stdfds_fill(void)
{
    /* The C runtime never gives the numbers of its closed standard streams to other files. */
}
