/* The exit path: six stages, whatever the cause.
 *
 * end of script, http.stop, os.exit, error at load, failed main chunk, SIGINT, SIGTERM, second
 * signal, drain deadline, the child of `test`: each only records a cause (host_stop); host_run then
 * leaves its waiting loop and calls exit_run once. Nothing else closes the process.
 *
 *   stage                 coordinator                                   workers (each acknowledges)
 *   1 stop intake         ledger_stop: Lua's closes only drop shares    loop_stop_listening
 *   2 finish              wait until all are drained, or the deadline,  serve what is accepted; say
 *                         or a second signal                            "drained" when no request
 *                                                                       and no connection is left
 *   3 goodbye             let http.run return; the code after it runs   main chunks run on, for at
 *                                                                       most EXIT_CHUNK_NS; streams
 *                                                                       end
 *   4 cancel              HttpShutdownRequestQueue                      raise `cancelled` in what
 *                                                                       waits, EXIT_CANCEL_NS; kill
 *                                                                       what is left;
 *                                                                       HttpCancelHttpRequest;
 *                                                                       after the shutdown: join
 *                                                                       every receive
 *   5 close by kind       ledger_close_all: URLs, groups, sessions, queues over the whole process
 *   6 terminate           HttpTerminate for each HttpInitialize         lua_close, close the loop,
 *                                                                       end the thread
 *
 * A failed load takes the same road with nothing to drain and no workers.
 *
 * What the user sees
 *   --trace close prints one line a contract call, in the order of the calls, on stderr; the form
 *   is frozen:
 *       close HttpRemoveUrlFromUrlGroup http://localhost:8080/hello/ 0
 *       ^     ^call                     ^object                      ^result, decimal
 *   Calls made outside the exit path (an url:close() while serving) are not shown by --trace close;
 *   --trace calls shows every call of the process, with "call" as first word.
 *   The exit code (host.h): 0 asked to stop and everything drained; 6 when the drain time ran out
 *   and a request or a connection was cut, unless there is a code of its own to report (os.exit(n),
 *   http.stop(n), the child's); 3 and 4 for a failed start; 128+n after a second signal; 70 for
 *   ours.
 *   The last line of stderr says the same in words.
 *
 * Bounds: stage 2 the drain time; 3 and 4 the constants below. After a second signal stage 2 ends
 * at once and 3 and 4 take EXIT_NOW_NS each at most. A worker that does not come back from a C
 * function (a blocking driver) is waited for, EXIT_STUCK_NS at most, or until a second signal. Then
 * nothing more can be closed, since every contract call would wait for that worker too: exit_run
 * returns with the verdict `forced`, and the process ends around it. _exit is only ever called by
 * a third signal.
 *
 * Thread: coordinator. */
#pragma once

struct host;
struct host_verdict;

#define EXIT_CHUNK_NS  UINT64_C(1000000000) /* stage 3: code after http.run, per process */
#define EXIT_CANCEL_NS UINT64_C(1000000000) /* stage 4: <close> variables that yield */
#define EXIT_NOW_NS    UINT64_C(100000000)  /* either of them after a second signal */
#define EXIT_STUCK_NS  UINT64_C(5000000000) /* how long a worker may fail to answer */

/* The stage the process is in. Changed in exit.c alone, only upward. */
enum exit_stage {
    EXIT_NOT_BEGUN,
    EXIT_STOP_INTAKE,
    EXIT_FINISH,
    EXIT_GOODBYE,
    EXIT_CANCEL,
    EXIT_CLOSE,
    EXIT_TERMINATE,
    EXIT_DONE,
};

/* Runs the six stages. Afterwards the host owns no thread, no state and no contract object. Errors
 * end in the verdict. */
void exit_run(struct host *host, struct host_verdict *verdict);
