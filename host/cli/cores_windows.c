#include "cli/cores.h"

#include "api/httpapi.h"

unsigned cores_count(void)
{
    DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count < 1 ? 1 : (unsigned)count;
}
