#include "support/cmocka_all.h"

#include <sys/resource.h>

#include "api/loop.h"
#include "net/sock.h"

static void free_port_can_be_listened_on_in_both_families(void **state)
{
    (void)state;
    uint16_t port = 0;
    assert_int_equal(loop_find_free_port(&port), NO_ERROR);
    assert_int_not_equal(port, 0);
    int v4 = -1, v6 = -1;
    struct sock_addr addr = sock_addr_loopback_v4(port);
    assert_int_equal(sock_listen(&addr.sa, sock_addr_len(&addr), false, 1, &v4), NO_ERROR);
    addr = sock_addr_loopback_v6(port);
    ULONG status = sock_listen(&addr.sa, sock_addr_len(&addr), false, 1, &v6);
    assert_true(status == NO_ERROR || status == ERROR_NOT_FOUND);
    sock_close(v4);
    if (v6 >= 0) {
        sock_close(v6);
    }
}

static void free_port_without_descriptors_says_so(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint16_t port = 1;
    ULONG status = loop_find_free_port(&port);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, ERROR_NOT_ENOUGH_MEMORY);
    assert_int_equal(port, 0);
}

/* Ports that IPv6 has in use are never handed out, though 127.0.0.1 has them free. */
static void free_port_taken_on_v6_is_not_given(void **state)
{
    (void)state;
    enum { HELD = 600, ASKED = 400 }; /* some 17 of the asked would hit by chance */
    int held[HELD];
    uint16_t ports[HELD];
    int count = 0;
    for (; count < HELD; count++) {
        struct sock_addr addr = sock_addr_loopback_v6(0);
        if (sock_listen(&addr.sa, sock_addr_len(&addr), false, 1, &held[count]) != NO_ERROR) {
            break;
        }
        assert_int_equal(sock_local_addr(held[count], &addr), NO_ERROR);
        ports[count] = sock_addr_port(&addr);
    }
    if (count == 0) {
        skip();
    }
    for (int i = 0; i < ASKED; i++) {
        uint16_t port = 0;
        assert_int_equal(loop_find_free_port(&port), NO_ERROR);
        for (int k = 0; k < count; k++) {
            assert_int_not_equal(port, ports[k]);
        }
    }
    for (int i = 0; i < count; i++) {
        sock_close(held[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_port_can_be_listened_on_in_both_families),
        cmocka_unit_test(free_port_without_descriptors_says_so),
        cmocka_unit_test(free_port_taken_on_v6_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
