/* The few options of curl that tests/lua uses, for machines that have no curl.exe (Wine): one
 * request over one connection, read by its length, never to the end of the connection.
 *
 *   curl -sS [--max-time S] [-D FILE] [-o FILE] [-X METHOD] [-d DATA] [--data-binary DATA|@FILE]
 *        [-H LINE] [-A AGENT] [-I] URL
 *
 * Exit codes as curl's: 0, 2 usage, 7 cannot connect, 18 a cut body, 23 cannot write a file, 28 out
 * of time, 52 no answer. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

enum {
    BYTES_MAX = 64 << 20,
    HEAD_MAX = 16384,
    PIECE = 16384,
    E_USAGE = 2,
    E_CONNECT = 7,
    E_CUT = 18,
    E_WRITE = 23,
    E_TIME = 28,
    E_EMPTY = 52
};

struct ask {
    const char *method, *url, *head_file, *body_file, *agent;
    char *body; /* malloc, or NULL */
    size_t body_length;
    char headers[4096]; /* of -H, with line ends */
    bool head_only;
    ULONGLONG deadline_ms; /* of GetTickCount64 */
    char host[256];
    char port[8];
    const char *target;
};

/* What has arrived, from the head on. */
struct got {
    char *bytes;
    size_t length, capacity;
    int problem; /* why nothing more comes; 0: more may */
};

static bool load(struct ask *ask, const char *data)
{
    if (data[0] != '@') {
        ask->body_length = strlen(data);
        ask->body = _strdup(data);
        return ask->body != NULL;
    }
    FILE *file = fopen(data + 1, "rb");
    ask->body = malloc(BYTES_MAX);
    if (file == NULL || ask->body == NULL) {
        return false;
    }
    ask->body_length = fread(ask->body, 1, BYTES_MAX, file);
    (void)fclose(file);
    return true;
}

static bool take_option(struct ask *ask, const char *name, const char *value)
{
    size_t used = strlen(ask->headers);
    if (strcmp(name, "-D") == 0) {
        ask->head_file = value;
    } else if (strcmp(name, "-o") == 0) {
        ask->body_file = value;
    } else if (strcmp(name, "-X") == 0) {
        ask->method = value;
    } else if (strcmp(name, "-A") == 0) {
        ask->agent = value;
    } else if (strcmp(name, "-H") == 0) {
        (void)snprintf(ask->headers + used, sizeof ask->headers - used, "%s\r\n", value);
    } else if (strcmp(name, "-d") == 0 || strcmp(name, "--data-binary") == 0) {
        return load(ask, value);
    } else if (strcmp(name, "--max-time") == 0) {
        ask->deadline_ms = GetTickCount64() + (ULONGLONG)(strtod(value, NULL) * 1000);
    } else {
        return strcmp(name, "--limit-rate") == 0; /* it only ever reads */
    }
    return true;
}

static bool parse(struct ask *ask, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-sS") == 0) {
            continue;
        }
        if (strcmp(argv[i], "-I") == 0) {
            ask->head_only = true;
        } else if (argv[i][0] != '-') {
            ask->url = argv[i];
        } else if (i + 1 >= argc || !take_option(ask, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    if (ask->url == NULL || strncmp(ask->url, "http://", 7) != 0) {
        return false;
    }
    const char *host = ask->url + 7;
    ask->target = host + strcspn(host, "/");
    (void)snprintf(ask->host, sizeof ask->host, "%.*s", (int)(ask->target - host), host);
    ask->target = *ask->target == '\0' ? "/" : ask->target;
    const char *colon = strrchr(ask->host, ':');
    (void)snprintf(ask->port, sizeof ask->port, "%s", colon == NULL ? "80" : colon + 1);
    return true;
}

/* The server listens on IPv4 alone there. */
static SOCKET open_connection(const struct ask *ask)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((u_short)strtoul(ask->port, NULL, 10))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    if (s != INVALID_SOCKET && connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)closesocket(s);
        s = INVALID_SOCKET;
    }
    return s;
}

static bool send_all(SOCKET s, const char *bytes, size_t length)
{
    while (length > 0) {
        int sent = send(s, bytes, length > PIECE ? PIECE : (int)length, 0);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool send_request(SOCKET s, const struct ask *ask)
{
    static char text[HEAD_MAX];
    const char *method = ask->method != NULL ? ask->method
                         : ask->head_only    ? "HEAD"
                         : ask->body != NULL ? "POST"
                                             : "GET";
    int used = snprintf(
        text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n%s",
        method, ask->target, ask->host, ask->agent == NULL ? "curl" : ask->agent, ask->headers);
    if (ask->body != NULL) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "Content-Length: %llu\r\n"
                         "Content-Type: application/x-www-form-urlencoded\r\n",
                         (unsigned long long)ask->body_length);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "\r\n");
    return send_all(s, text, (size_t)used) && send_all(s, ask->body, ask->body_length);
}

/* One more piece; false: nothing more comes, and got->problem says why. */
static bool pull(SOCKET s, const struct ask *ask, struct got *got)
{
    ULONGLONG now_ms = GetTickCount64();
    ULONGLONG left_ms = ask->deadline_ms > now_ms ? ask->deadline_ms - now_ms : 0;
    struct timeval limit = {.tv_sec = (long)(left_ms / 1000),
                            .tv_usec = (long)(left_ms % 1000 * 1000)};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(s, &readable);
    if (got->problem != 0) {
        return false;
    }
    if (left_ms == 0 || select(0, &readable, NULL, NULL, &limit) == 0) {
        got->problem = E_TIME;
        return false;
    }
    if (got->capacity - got->length < PIECE + 1) {
        size_t capacity = got->capacity * 2 + PIECE * 2;
        char *bytes = capacity > BYTES_MAX ? NULL : realloc(got->bytes, capacity);
        if (bytes == NULL) {
            got->problem = E_WRITE;
            return false;
        }
        got->bytes = bytes;
        got->capacity = capacity;
    }
    int count = recv(s, got->bytes + got->length, PIECE, 0);
    if (count <= 0) {
        got->problem = got->length == 0 ? E_EMPTY : E_CUT;
        return false;
    }
    got->length += (size_t)count;
    got->bytes[got->length] = '\0';
    return true;
}

static bool need(SOCKET s, const struct ask *ask, struct got *got, size_t length)
{
    while (got->length < length) {
        if (!pull(s, ask, got)) {
            return false;
        }
    }
    return true;
}

/* Where `text` begins at or behind `from`; SIZE_MAX: it does not come. */
static size_t find(SOCKET s, const struct ask *ask, struct got *got, size_t from, const char *text)
{
    for (;;) {
        const char *at =
            got->bytes == NULL || got->length < from ? NULL : strstr(got->bytes + from, text);
        if (at != NULL) {
            return (size_t)(at - got->bytes);
        }
        if (!pull(s, ask, got)) {
            return SIZE_MAX;
        }
    }
}

/* The value of a header in the head of so many bytes; NULL: not there. */
static const char *header(const struct got *got, size_t head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(got->bytes, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if ((size_t)(line - got->bytes) >= head) {
            break;
        }
        if (_strnicmp(line, name, length) == 0 && line[length] == ':') {
            return line + length + 1 + strspn(line + length + 1, " ");
        }
    }
    return NULL;
}

static bool write_file(const char *path, const char *bytes, size_t length, const char *how)
{
    FILE *file = path == NULL ? stdout : fopen(path, how);
    bool ok = file != NULL && fwrite(bytes, 1, length, file) == length;
    return file != NULL && (path == NULL || fclose(file) == 0) && ok;
}

static int read_chunks(SOCKET s, const struct ask *ask, struct got *got, size_t at)
{
    for (const char *how = "wb";; how = "ab") {
        size_t end = find(s, ask, got, at, "\r\n");
        if (end == SIZE_MAX) {
            return got->problem;
        }
        size_t size = strtoul(got->bytes + at, NULL, 16);
        if (!need(s, ask, got, end + 2 + size + 2)) {
            return got->problem;
        }
        if (!write_file(ask->body_file, got->bytes + end + 2, size, how)) {
            return E_WRITE;
        }
        if (size == 0) {
            return 0;
        }
        at = end + 2 + size + 2;
    }
}

static int read_answer(SOCKET s, const struct ask *ask, struct got *got)
{
    size_t head = find(s, ask, got, 0, "\r\n\r\n");
    if (head == SIZE_MAX) {
        return got->problem;
    }
    head += 4;
    if (!write_file(ask->head_file, got->bytes, head, "wb")) {
        return E_WRITE;
    }
    const char *length = header(got, head, "Content-Length");
    const char *coding = header(got, head, "Transfer-Encoding");
    if (ask->head_only || strncmp(got->bytes + 9, "204", 3) == 0) {
        return write_file(ask->body_file, "", 0, "wb") ? 0 : E_WRITE;
    }
    if (coding != NULL) {
        return read_chunks(s, ask, got, head);
    }
    size_t body = length == NULL ? 0 : (size_t)strtoull(length, NULL, 10);
    (void)need(s, ask, got, head + body); /* what has come is written in any case */
    size_t here = got->length - head < body ? got->length - head : body;
    if (!write_file(ask->body_file, got->bytes + head, here, "wb")) {
        return E_WRITE;
    }
    return here < body ? got->problem : 0;
}

int main(int argc, char **argv)
{
    WSADATA data;
    struct ask ask = {.deadline_ms = GetTickCount64() + 30000};
    struct got got = {.bytes = NULL};
    int code = E_CONNECT;
    if (!parse(&ask, argc, argv)) {
        (void)fprintf(stderr, "curl: an option that this one does not have\n");
        return E_USAGE;
    }
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        return E_CONNECT;
    }
    SOCKET s = open_connection(&ask);
    if (s != INVALID_SOCKET) {
        code = send_request(s, &ask) ? read_answer(s, &ask, &got) : E_EMPTY;
        (void)closesocket(s);
    }
    if (code != 0) {
        (void)fprintf(stderr, "curl: (%d)\n", code);
    }
    free(got.bytes);
    free(ask.body);
    return code;
}
