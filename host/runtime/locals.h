/* In dev: the one note that a script counts on module locals, which a reload begins anew.
 *
 * The locals that handlers can reach are looked at when the script is loaded and when its
 * generation has drained; lua/moonlatch/locals.lua says how. Both looks are in protected mode, and
 * what fails in them is nobody's concern: then there is no note. Cost: none in between; a look is
 * at some thousand values at most. Thread: the state's. */
#pragma once

#include <stdbool.h>

struct member;

/* The first look: the script is loaded, and nothing of it serves. */
void locals_look(struct member *member);

/* The second one, of a generation that retires: writes the note when something has changed.
 * Returns whether it did. */
bool locals_note(struct member *member);
