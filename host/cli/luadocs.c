#include "cli/luadocs.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "binding/module.h"
#include "cli/wrap.h"
#include "runtime/luaenv.h"

enum {
    HEAD_INDENT = 2,
    HEAD_AGAIN_INDENT = 10, /* where a long signature goes on */
    TEXT_INDENT = 6,
    HEAD_BYTES_MAX = 1024
};

#define OVERLOAD " | fun(" /* stands between the forms of a function */

/* Calls `visit` for each part of the API. */
static void each_part(FILE *out, void (*visit)(FILE *out, const struct binding_part *part))
{
    const struct binding_part *const *lists[] = {binding_docs(), luaenv_docs()};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct binding_part *const *part = lists[i]; *part != NULL; part++) {
            visit(out, *part);
        }
    }
}

static bool has_metamethod(const struct binding_type *type, const char *name)
{
    for (const struct luaL_Reg *m = type->metamethods; m != NULL && m->name != NULL; m++) {
        if (strcmp(m->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the metamethods let a script do. */
static const char *closing_text(const struct binding_type *type)
{
    return has_metamethod(type, "__close") ? " May be a <close> variable." : "";
}

/* The part of a signature that is one form, from "fun("; moves *rest behind it. */
static struct slice take_form(const char **rest)
{
    const char *begin = *rest;
    const char *end = strstr(begin, OVERLOAD);
    *rest = end == NULL ? NULL : end + strlen(OVERLOAD) - strlen("fun(");
    return slice_make(begin, end == NULL ? strlen(begin) : (size_t)(end - begin));
}

/* --- plain text
 * ----------------------------------------------------------------------------------- */

/* "http.group" is "group" in front of its methods. */
static const char *short_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static void put_line(FILE *out, const char *text, size_t indent, size_t again)
{
    (void)fprintf(out, "%*s", (int)indent, "");
    wrap_put(out, slice_from_cstr(text), indent, again);
}

/* "fun(self: http.group, url: string): x" after "group:add_url" is "group:add_url(url: string): x".
 */
static void put_form(FILE *out, const char *owner, const char *name, struct slice form)
{
    static const char self[] = "self: ";
    char head[HEAD_BYTES_MAX];
    struct slice rest = slice_make(form.p + strlen("fun("), form.len - strlen("fun("));
    bool is_method = rest.len > strlen(self) && memcmp(rest.p, self, strlen(self)) == 0;
    if (is_method) {
        size_t skip = strcspn(rest.p, ",)");
        skip += rest.p[skip] == ',' ? strlen(", ") : 0;
        rest = slice_make(rest.p + skip, rest.len - skip);
    }
    int length = snprintf(head, sizeof head, "%s%s%s(%.*s", owner, is_method ? ":" : ".", name,
                          (int)rest.len, rest.p);
    assert(length > 0 && (size_t)length < sizeof head);
    (void)length; /* used by the assertion alone */
    put_line(out, head, HEAD_INDENT, HEAD_AGAIN_INDENT);
}

static void put_entry(FILE *out, const char *owner, const struct binding_entry *entry)
{
    char head[HEAD_BYTES_MAX];
    if (entry->function == NULL) {
        (void)snprintf(head, sizeof head, "%s%s%s: %s", owner, entry->name[0] == '[' ? "" : ".",
                       entry->name, entry->signature);
        put_line(out, head, HEAD_INDENT, HEAD_AGAIN_INDENT);
    } else {
        for (const char *rest = entry->signature; rest != NULL;) {
            put_form(out, owner, entry->name, take_form(&rest));
        }
    }
    put_line(out, entry->doc, TEXT_INDENT, TEXT_INDENT);
}

static void put_entries(FILE *out, const char *owner, const struct binding_entry *entry)
{
    for (; entry != NULL && entry->name != NULL; entry++) {
        put_entry(out, owner, entry);
    }
}

static void put_functions(FILE *out, const struct binding_part *part)
{
    put_entries(out, "http", part->functions);
}

static void put_types(FILE *out, const struct binding_part *part)
{
    char head[HEAD_BYTES_MAX];
    for (size_t i = 0; part->types != NULL && part->types[i] != NULL; i++) {
        const struct binding_type *type = part->types[i];
        (void)fprintf(out, "\n%s\n", type->name);
        (void)snprintf(head, sizeof head, "%s%s", type->doc, closing_text(type));
        put_line(out, head, HEAD_INDENT, HEAD_INDENT);
        (void)putc('\n', out);
        put_entries(out, short_name(type->name), type->fields);
        put_entries(out, short_name(type->name), type->methods);
    }
}

static void put_aliases(FILE *out, const struct binding_part *part)
{
    char head[HEAD_BYTES_MAX];
    for (const struct binding_entry *e = part->aliases; e != NULL && e->name != NULL; e++) {
        (void)snprintf(head, sizeof head, "%s: %s", e->name, e->signature);
        put_line(out, head, HEAD_INDENT, HEAD_AGAIN_INDENT);
        put_line(out, e->doc, TEXT_INDENT, TEXT_INDENT);
    }
}

void luadocs_put_text(FILE *out)
{
    (void)fprintf(out, "Functions of the global http (also: require \"http\")\n\n");
    each_part(out, put_functions);
    each_part(out, put_types);
    (void)fprintf(out, "\nTypes that the lines above name\n\n");
    each_part(out, put_aliases);
}

/* --- LuaCATS
 * -------------------------------------------------------------------------------------- */

/* The doc stands above the field: behind a type it could be read as more of the type. */
static void put_field(FILE *out, const struct binding_entry *entry)
{
    bool has_forms = strstr(entry->signature, OVERLOAD) != NULL;
    const char *between = " ";
    (void)fprintf(out, "---%s\n---@field %s", entry->doc, entry->name);
    for (const char *rest = entry->signature; rest != NULL; between = " | ") {
        struct slice form = take_form(&rest);
        (void)fprintf(out, has_forms ? "%s(%.*s)" : "%s%.*s", between, (int)form.len, form.p);
    }
    (void)putc('\n', out);
}

static void put_fields(FILE *out, const struct binding_entry *entry)
{
    for (; entry != NULL && entry->name != NULL; entry++) {
        put_field(out, entry);
    }
}

static void put_module_fields(FILE *out, const struct binding_part *part)
{
    put_fields(out, part->functions);
}

static void put_classes(FILE *out, const struct binding_part *part)
{
    for (size_t i = 0; part->types != NULL && part->types[i] != NULL; i++) {
        const struct binding_type *type = part->types[i];
        (void)fprintf(out, "---%s%s\n---@class %s\n", type->doc, closing_text(type), type->name);
        put_fields(out, type->fields);
        put_fields(out, type->methods);
        (void)putc('\n', out);
    }
}

static void put_alias_lines(FILE *out, const struct binding_part *part)
{
    for (const struct binding_entry *e = part->aliases; e != NULL && e->name != NULL; e++) {
        (void)fprintf(out, "---%s\n---@alias %s %s\n\n", e->doc, e->name, e->signature);
    }
}

void luadocs_put_types(FILE *out)
{
    (void)fprintf(out, "---@meta http\n\n");
    each_part(out, put_alias_lines);
    each_part(out, put_classes);
    (void)fprintf(out, "---The HTTP host; also what require \"http\" gives.\n---@class http\n");
    each_part(out, put_module_fields);
    (void)fprintf(out, "http = {}\n\nreturn http\n");
}
