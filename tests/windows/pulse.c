/* Keeps Wine's http.sys awake while the tests run. Its one thread sleeps until a socket has
 * something for it, and now and then that signal is lost: a new connection then waits, and so does
 * every later one, until anything happens on an older connection. So here are a few older ones, on
 * which something happens five times a second: a byte of a request that never becomes whole.
 *
 * When a queue is closed there, some other socket of its may be closed too. So no queue is closed
 * here, and connections and listeners that vanish are made anew.
 *
 * usage: pulse.exe      (for ever; the end of the session ends it) */
#include <stdio.h>

#include "api/httpapi.h"
#include "api/loop.h"
#include "api/text.h"

enum { CONNECTIONS = 4, PULSE_MS = 200, URL_UNITS = 64 };

static ULONG listen_somewhere(HANDLE queue, uint16_t *port)
{
    char utf8[URL_UNITS];
    HTTP_CHAR url[URL_UNITS];
    size_t needed = 0;
    ULONG code = loop_find_free_port(port);
    if (code != NO_ERROR) {
        return code;
    }
    int length = snprintf(utf8, sizeof utf8, "http://localhost:%u/pulse/", (unsigned)*port);
    code = text_from_utf8(utf8, (size_t)length, url, URL_UNITS, &needed);
    return code == NO_ERROR ? HttpAddUrl(queue, url, NULL) : code;
}

static SOCKET connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    if (s != INVALID_SOCKET && connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)closesocket(s);
        s = INVALID_SOCKET;
    }
    return s;
}

/* A listener that nobody closes; 0: none could be made. */
static uint16_t make_listener(void)
{
    HANDLE queue = NULL;
    uint16_t port = 0;
    ULONG code = HttpCreateHttpHandle(&queue, 0);
    return code == NO_ERROR && listen_somewhere(queue, &port) == NO_ERROR ? port : 0;
}

/* One connection more, if need be to a new listener. */
static SOCKET renew(uint16_t *port)
{
    SOCKET s = *port == 0 ? INVALID_SOCKET : connect_to(*port);
    if (s == INVALID_SOCKET) {
        *port = make_listener();
    }
    return s;
}

int main(void)
{
    const HTTPAPI_VERSION version = {1, 0};
    SOCKET sockets[CONNECTIONS];
    uint16_t port = 0;
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0 ||
        HttpInitialize(version, HTTP_INITIALIZE_SERVER, NULL) != NO_ERROR) {
        return 1;
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        sockets[i] = INVALID_SOCKET;
    }
    for (;;) {
        for (size_t i = 0; i < CONNECTIONS; i++) {
            if (sockets[i] != INVALID_SOCKET && send(sockets[i], "G", 1, 0) != 1) {
                (void)closesocket(sockets[i]);
                sockets[i] = INVALID_SOCKET;
            }
            if (sockets[i] == INVALID_SOCKET) {
                sockets[i] = renew(&port);
            }
        }
        Sleep(PULSE_MS);
    }
}
