/* A memory barrier on every running thread of the process at once: the slow side of a pair whose
 * other side must cost nothing.
 *
 * Thread: any. Cost: a few microseconds, and an interrupt on each other core that runs a thread of
 * ours. */
#pragma once

#include <stdbool.h>

/* Asks the system once, before the first barrier. false: this system has none. */
bool barrier_open(void);

/* Needs barrier_open to have returned true. */
void barrier_issue(void);
