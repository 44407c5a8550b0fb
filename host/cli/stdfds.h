/* Standard input, output and error, which the process that started us may have closed.
 *
 * A socket or an epoll would take such a number, and what we say would be written into it. */
#pragma once

/* Opens the null device for each of 0, 1, 2 that is closed. Before anything else is opened. What
 * cannot be opened stays closed. Thread: main. */
void stdfds_fill(void);
