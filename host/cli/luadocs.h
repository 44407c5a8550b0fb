/* The reference of the Lua API, printed from the tables that register the functions.
 *
 * There is no second list: a function that a script can call is in a struct binding_part, and what
 * is printed here is all parts of binding_docs and luaenv_docs, in their order. docs/lua.md holds
 * the text between two markers; a test compares the two.
 *
 * Thread: main. Nothing is allocated. */
#pragma once

#include <stdio.h>

/* Plain text, 80 columns: `moonlatch help lua`. */
void luadocs_put_text(FILE *out);

/* A definition file for editors (LuaCATS, "---@meta"): `moonlatch help lua-types`. */
void luadocs_put_types(FILE *out);
