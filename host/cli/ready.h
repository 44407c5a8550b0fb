/* Telling the world that the server serves, in every way that was asked for, once.
 *
 *   stdout            ready http://localhost:8080 pid=4711 gen=1 (frozen; or one JSON object with
 *                     --json)
 *   --ready-file      {"url":...,"port":...,"pid":...,"generation":1} written under another name,
 *                     renamed, removed at the end
 *   --ready-fd        one line feed, then closed
 *   NOTIFY_SOCKET     READY=1, and STOPPING=1 when stopping begins (systemd's protocol, one
 *                     datagram each)
 *
 * In this order but for the first two: who reads the line finds the file.
 *
 * Thread: main. */
#pragma once

#include <stdbool.h>

#include "cli/options.h"
#include "runtime/host.h"

struct lineout;

/* Before anything is opened: whether --ready-fd names an open descriptor. false: *why. */
bool ready_check(const struct options *options, const char **why);

/* out: with --json, else NULL. Failures to tell are reported on stderr and change nothing else. */
void ready_tell(const struct options *options, struct lineout *out, const struct host_event *event);

/* STOPPING=1. */
void ready_tell_stopping(void);

/* Removes the ready file. Call it only when ready_tell was called. */
void ready_clean(const struct options *options);
