#include "runtime/barrier.h"

#include "api/httpapi.h"

bool barrier_open(void)
{
    return true;
}

void barrier_issue(void)
{
    FlushProcessWriteBuffers();
}
