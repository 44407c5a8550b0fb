/* Errors as Lua sees them.
 *
 * Misuse raises a string with the caller's file:line (error_raise, luaL_argerror). What the world
 * does comes back as nil and an error value: a table with the metatable "http.error" and the fields
 *   name    "ERROR_SHARING_VIOLATION" or a word of ours ("cancelled", "timeout", "stopping")
 *   code    the number, 0 for words of ours
 *   call    the contract function, or nil
 *   object  the URL or object it was about, or nil
 *   hint    the cure, or nil
 *   where   "app.lua:12", or nil
 * and a __tostring that makes one line of them. The text is made when asked for.
 *
 * Thread: the state's. */
#pragma once

#include <stddef.h>

#include "api/httpapi.h"

struct lua_State;
struct ledger_error;
struct near;

#define ERROR_TYPE "http.error"

/* Makes the metatable; call once for each state. [-0,+0,m] */
void error_register(struct lua_State *L);

/* "ERROR_SHARING_VIOLATION" for a code of the contract; "ERROR_4711" is written for others, into a
 * buffer of the caller. */
const char *error_name(ULONG code, char spare[24]);

/* What the code means in a few words: "the port or file is held by somebody else". Never NULL. */
const char *error_meaning(ULONG code);

/* Pushes the error value of a contract failure. call, object, hint may be NULL. [-0,+1,m] */
void error_push(struct lua_State *L, const char *call, ULONG code, const char *object,
                const char *hint);
/* The same of a failure of the ledger. [-0,+1,m] */
void error_push_ledger(struct lua_State *L, const struct ledger_error *error);
/* The same with a word of ours as its name and a sentence as its hint. [-0,+1,m] */
void error_push_word(struct lua_State *L, const char *word, const char *hint);

/* Pushes nil and the error value and returns 2, for `return error_return(...)`. [-0,+2,m] */
int error_return(struct lua_State *L, const char *call, ULONG code, const char *object,
                 const char *hint);
int error_return_ledger(struct lua_State *L, const struct ledger_error *error);
int error_return_word(struct lua_State *L, const char *word, const char *hint);

/* Raises the error value of a ledger failure: for failures at load that the call can judge, and for
 * property assignment. */
int error_raise_ledger(struct lua_State *L, const struct ledger_error *error);

/* Raises "<what> '<name>'", and which one may be meant. what: "options: there is no". near may be
 * NULL. Never returns; int for `return`. */
int error_raise_unknown(struct lua_State *L, const char *what, const char *name,
                        const struct near *near);

/* Raises when the table at index has a key that is not in the list, which NULL ends: an option that
 * is misspelt must not be without effect. [-0,+0,v] */
void error_check_options(struct lua_State *L, int index, const char *const *names);

/* One line: "HttpAddUrlToUrlGroup http://localhost:8080/: ERROR_SHARING_VIOLATION (32), ...; hint
 * (app.lua:12)". Always terminated. For the log and the terminal. Returns out. */
const char *error_format(const struct ledger_error *error, char *out, size_t cap);
