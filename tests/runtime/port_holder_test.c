#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/port_holder.h"

/* A listener on a free port of 127.0.0.1. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void port_holder_other_process_is_found(void **state)
{
    struct port_holder holder;
    uint16_t port = 0;
    char folder[256];
    (void)state;
    int fd = listen_somewhere(&port);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    (void)close(fd); /* the child has it alone now */
    bool found = port_holder_find(port, &holder);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    assert_true(found);
    assert_int_equal(holder.pid, child);
    assert_true(strlen(holder.name) > 0);
    assert_non_null(getcwd(folder, sizeof folder));
    assert_string_equal(holder.folder, folder);
}

static void port_holder_ourselves_are_not_named(void **state)
{
    struct port_holder holder;
    uint16_t port = 0;
    (void)state;
    int fd = listen_somewhere(&port);
    assert_false(port_holder_find(port, &holder));
    (void)close(fd);
}

static void port_holder_free_port_has_none(void **state)
{
    struct port_holder holder;
    uint16_t port = 0;
    (void)state;
    (void)close(listen_somewhere(&port));
    assert_false(port_holder_find(port, &holder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_holder_other_process_is_found),
        cmocka_unit_test(port_holder_ourselves_are_not_named),
        cmocka_unit_test(port_holder_free_port_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
