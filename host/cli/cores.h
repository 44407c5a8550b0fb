/* How many processors may run our threads; at least 1. One file a platform. Thread: any. */
#pragma once

unsigned cores_count(void);
