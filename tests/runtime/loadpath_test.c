#include "support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "runtime/host.h"
#include "runtime/loadpath.h"

/* A directory that is gone after the test. */
struct folder {
    char path[64];
};

static void folder_make(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/loadpath_test.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static void folder_add(const struct folder *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    for (char *slash = path + strlen(folder->path) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void folder_drop(const struct folder *folder)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder->path);
    assert_int_equal(system(command), 0);
}

static ULONG expand(const char *path, struct script_list *list, struct buf *why)
{
    const struct host_source source = {.path = path};
    buf_init(why, 4096);
    return loadpath_expand(&source, 1, list, why);
}

static void loadpath_file_name_becomes_a_mount_path(void **state)
{
    static const char *const rows[][2] = {
        {"index.lua", "/"},
        {"users.lua", "/users/"},
        {"admin/index.lua", "/admin/"},
        {"users/[id].lua", "/users/:id"},
        {"a/[b]/c.lua", "/a/:b/c"},
        {"a/[b]/index.lua", "/a/:b"},
        {"[x].lua", "/:x"},
        {"indexed.lua", "/indexed/"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(loadpath_mount(rows[i][0], out, sizeof out), NO_ERROR);
        assert_string_equal(out, rows[i][1]);
    }
}

static void loadpath_name_that_is_no_path_is_refused(void **state)
{
    static const char *const names[] = {"[].lua",  "[id.lua", "id].lua", "a*b.lua",  "a:b.lua",
                                        "a?b.lua", ".lua",    "x.txt",   "a//b.lua", "a b.lua"};
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(loadpath_mount(names[i], out, sizeof out), ERROR_INVALID_PARAMETER);
    }
    assert_int_equal(loadpath_mount("users.lua", out, 7), ERROR_INSUFFICIENT_BUFFER);
}

static void loadpath_directory_is_walked_in_order_without_hidden_names(void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    (void)state;
    folder_make(&folder);
    folder_add(&folder, "users.lua", "return 1");
    folder_add(&folder, "users/[id].lua", "return 2");
    folder_add(&folder, "index.lua", "return 3");
    folder_add(&folder, "_lib.lua", "error()");
    folder_add(&folder, ".hidden.lua", "error()");
    folder_add(&folder, "_private/x.lua", "error()");
    folder_add(&folder, "readme.txt", "text");
    assert_int_equal(expand(folder.path, &list, &why), NO_ERROR);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].mount, "/");
    assert_string_equal(list.items[1].mount, "/users/");
    assert_string_equal(list.items[2].mount, "/users/:id");
    assert_string_equal(list.items[2].folder, folder.path);
    assert_int_equal(list.items[2].len, strlen("return 2"));
    loadpath_deinit(&list);
    buf_deinit(&why);
    folder_drop(&folder);
}

static void loadpath_empty_directory_says_so(void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    (void)state;
    folder_make(&folder);
    assert_int_equal(expand(folder.path, &list, &why), ERROR_FILE_NOT_FOUND);
    assert_int_equal(list.count, 0);
    assert_true(why.len > 0);
    buf_deinit(&why);
    folder_drop(&folder);
}

static void loadpath_name_in_a_directory_that_cannot_be_mounted_fails_and_leaves_nothing(
    void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    (void)state;
    folder_make(&folder);
    folder_add(&folder, "a.lua", "return 1");
    folder_add(&folder, "b*.lua", "return 1");
    assert_int_equal(expand(folder.path, &list, &why), ERROR_INVALID_PARAMETER);
    assert_int_equal(list.count, 0);
    assert_null(list.items);
    buf_deinit(&why);
    folder_drop(&folder);
}

static void loadpath_missing_file_names_it(void **state)
{
    struct script_list list;
    struct buf why;
    (void)state;
    assert_int_equal(expand("/nonexistent/app.lua", &list, &why), ERROR_FILE_NOT_FOUND);
    assert_true(buf_append(&why, "", 1));
    assert_non_null(strstr(why.p, "/nonexistent/app.lua"));
    buf_deinit(&why);
}

static void loadpath_file_by_name_is_not_mounted(void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    char path[128];
    (void)state;
    folder_make(&folder);
    folder_add(&folder, "app.lua", "return 1");
    (void)snprintf(path, sizeof path, "%s/app.lua", folder.path);
    assert_int_equal(expand(path, &list, &why), NO_ERROR);
    assert_int_equal(list.count, 1);
    assert_null(list.items[0].mount);
    assert_string_equal(list.items[0].folder, folder.path);
    assert_string_equal(list.items[0].chunk + 1, path);
    loadpath_deinit(&list);
    buf_deinit(&why);
    folder_drop(&folder);
}

/* Loads a text; the lines of its errors must be those of the file. */
static void check_load(const char *text, int wanted, const char *message)
{
    struct script script = {
        .text = (char *)(uintptr_t)text, .len = strlen(text), .chunk = (char *)(uintptr_t) "=x"};
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    assert_int_equal(loadpath_load(L, &script), wanted);
    if (message != NULL) {
        assert_non_null(strstr(lua_tostring(L, -1), message));
    }
    lua_close(L);
}

static void loadpath_first_line_with_hash_is_skipped_and_counted(void **state)
{
    (void)state;
    check_load("#!/usr/bin/env moonlatch\nreturn 1", LUA_OK, NULL);
    check_load("\xEF\xBB\xBF#!x\n\nx = = 1", LUA_ERRSYNTAX, "x:3:");
    check_load("#", LUA_OK, NULL);
    check_load("", LUA_OK, NULL);
}

static void loadpath_bytecode_is_refused(void **state)
{
    (void)state;
    check_load("\x1bLua", LUA_ERRSYNTAX, "binary");
}

/* Ten links that lead up would be 10^32 ways. */
static void loadpath_link_that_leads_up_is_not_followed(void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    char path[128];
    (void)state;
    folder_make(&folder);
    folder_add(&folder, "index.lua", "");
    folder_add(&folder, "a/b/users.lua", "");
    for (int i = 0; i < 10; i++) {
        (void)snprintf(path, sizeof path, "%s/a/b/up%d", folder.path, i);
        assert_int_equal(symlink(i % 2 == 0 ? ".." : folder.path, path), 0);
    }
    (void)snprintf(path, sizeof path, "%s/beside", folder.path);
    assert_int_equal(symlink("a/b", path), 0); /* leads nowhere up: other routes, same file */
    assert_int_equal(expand(folder.path, &list, &why), NO_ERROR);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].mount, "/a/b/users/");
    assert_string_equal(list.items[1].mount, "/beside/users/");
    assert_string_equal(list.items[2].mount, "/");
    loadpath_deinit(&list);
    buf_deinit(&why);
    folder_drop(&folder);
}

static void loadpath_folders_have_a_number(void **state)
{
    struct folder folder;
    struct script_list list;
    struct buf why;
    char path[128];
    (void)state;
    folder_make(&folder);
    folder_add(&folder, "index.lua", "");
    folder_add(&folder, "s/users.lua", "");
    for (int i = 1; i < 64; i++) { /* s and what is in it: 64, by as many ways as there are links */
        (void)snprintf(path, sizeof path, "%s/s/%d", folder.path, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (int i = 2; i < LOADPATH_FOLDERS_MAX / 64; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", folder.path, i);
        assert_int_equal(symlink("s", path), 0);
    }
    assert_int_equal(expand(folder.path, &list, &why), NO_ERROR);
    loadpath_deinit(&list);
    buf_deinit(&why);
    (void)snprintf(path, sizeof path, "%s/one_more", folder.path);
    assert_int_equal(symlink("s", path), 0); /* 4096 and the one itself */
    assert_int_equal(expand(folder.path, &list, &why), ERROR_ACCESS_DENIED);
    assert_true(buf_append(&why, "", 1));
    assert_non_null(strstr(why.p, "more than 4096 folders"));
    buf_deinit(&why);
    folder_drop(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loadpath_file_name_becomes_a_mount_path),
        cmocka_unit_test(loadpath_name_that_is_no_path_is_refused),
        cmocka_unit_test(loadpath_directory_is_walked_in_order_without_hidden_names),
        cmocka_unit_test(loadpath_empty_directory_says_so),
        cmocka_unit_test(
            loadpath_name_in_a_directory_that_cannot_be_mounted_fails_and_leaves_nothing),
        cmocka_unit_test(loadpath_missing_file_names_it),
        cmocka_unit_test(loadpath_file_by_name_is_not_mounted),
        cmocka_unit_test(loadpath_first_line_with_hash_is_skipped_and_counted),
        cmocka_unit_test(loadpath_bytecode_is_refused),
        cmocka_unit_test(loadpath_link_that_leads_up_is_not_followed),
        cmocka_unit_test(loadpath_folders_have_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
