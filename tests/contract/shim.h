/* What the contract tests need of the system beside the contract: sockets of a client, threads,
 * processes, a file. One file per platform: client_posix.c. Everything is blocking; what waits for
 * a peer takes a time limit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/httpapi.h"

#define SHIM_NO_SOCKET ((intptr_t)-1)

/* Once, before anything else. */
void shim_start(void);
/* Which provider stands behind the contract (enum contract_provider). */
unsigned shim_provider(void);
bool shim_has_ipv6(void);

/* Connects to an address ("127.0.0.1", "::1"). SHIM_NO_SOCKET: refused. */
intptr_t shim_connect(const char *address, uint16_t port);
/* Sends all bytes. false: the peer has gone. */
bool shim_send(intptr_t socket, const void *bytes, size_t length);
enum shim_result { SHIM_BYTES, SHIM_EOF, SHIM_RESET, SHIM_TIMEOUT };
/* Receives what is there, waiting up to the limit for the first byte. */
enum shim_result shim_receive(intptr_t socket, void *buffer, size_t size, unsigned milliseconds,
                              size_t *count);
/* Ends our sending side; the other stays open. */
void shim_shutdown_send(intptr_t socket);
void shim_close(intptr_t socket);
/* Closes with a reset instead of a FIN. */
void shim_reset(intptr_t socket);

/* A plain listening socket, as another program would have it; port 0 takes any. */
intptr_t shim_listen(const char *address, uint16_t port);
uint16_t shim_port_of(intptr_t socket);

/* Starts a thread; join waits for it. */
struct shim_thread;
struct shim_thread *shim_thread_start(void (*run)(void *context), void *context);
void shim_thread_join(struct shim_thread *thread);
/* Lets the processor do something else for a moment; for loops that wait for another thread. */
void shim_pause(void);

/* Runs this program with these arguments, NULL-terminated, and waits. Its exit code; 256 + signal
 * when it was ended, by the time limit for example. */
int shim_run_self(const char *const *arguments, unsigned seconds);
/* Ends the process at once, without any clean-up. */
_Noreturn void shim_die(int code);

/* A temporary file with these bytes, gone when closed, as a FileHandle of a data chunk. */
HANDLE shim_file(const void *bytes, size_t length);
void shim_file_close(HANDLE file);
/* A handle that is no open file. */
HANDLE shim_bad_file(void);
