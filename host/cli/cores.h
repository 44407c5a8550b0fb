/* How many processors may run our threads; at least 1. One file a platform. Thread: any. */
#pragma once

/* Asked anew each time; 1 where the system does not say. */
unsigned cores_count(void);
