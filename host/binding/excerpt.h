/* Where an error stands in the text of a script: from Lua's message to a line and a byte of it, for
 * the terminal (cli/check.c) and the error page (errorpage.h).
 *
 * Lua's messages name a chunk and a line, no column. The byte of a syntax error is found by
 * compiling the text again, byte by byte: what the compiler complains about ends where it stopped
 * reading. For other errors the name in the message ("global 'x'") is looked for in the line.
 *
 * Owner: nothing is kept; slices point into what was given. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "base/slice.h"

/* No such byte. */
#define EXCERPT_NOWHERE ((size_t)-1)

struct excerpt_line {
    int number;        /* 1 is the first */
    size_t start, end; /* bytes of the text, without the line feed */
};

/* "app.lua:12: text" in a message. */
struct excerpt_place {
    struct slice file;
    int line;
    struct slice text; /* up to the end of that line of the message */
};

/* The first place that a line of the message begins with, leading blanks aside. Traceback lines
 * ("app.lua:3: in function ...") are places too. false: there is none. *message: behind what was
 * found, to go on. */
bool excerpt_next_place(const char **message, struct excerpt_place *place);

/* The line that has the byte; past the end: the last one. */
struct excerpt_line excerpt_line_at(struct slice text, size_t at);

/* The line of that number; false: there are fewer. */
bool excerpt_line(struct slice text, int number, struct excerpt_line *line);

/* Compiles the text and pushes the error message, or nil when there is none. Returns the byte of
 * the token that the message names, or EXCERPT_NOWHERE. chunk: as of lua_load. [-0, +1, m] */
size_t excerpt_compile(lua_State *L, struct slice text, const char *chunk);

/* The byte of the name that a runtime error is about, in its line; EXCERPT_NOWHERE: it names none,
 * or the line has it not. */
size_t excerpt_find_name(struct slice text, struct excerpt_line line, struct slice message);
