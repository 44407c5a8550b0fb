/* One function for each command: does it and returns the exit code. The table of them is
 * options.h's; main.c joins the two.
 *
 * Thread: main. */
#pragma once

#include "cli/options.h"

/* run, and test: serve until stopped. */
int serve_command(const struct options *options);

/* check */
int check_command(const struct options *options);

/* ctl */
int ctl_command(const struct options *options);

/* version */
int version_command(const struct options *options);

/* help [COMMAND|TOPIC] */
int help_command(const struct options *options);

/* The help of one command, for --help. */
int help_for(enum command_id command);

/* man */
int man_command(const struct options *options);
