#include "base/heap.h"

void heap_trim(void)
{
}
