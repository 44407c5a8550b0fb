/* Between the two halves of a generation's life: generation.c brings it to serving,
 * generation_end.c ends it. Thread: coordinator. */
#pragma once

#include "runtime/generation.h"
#include "runtime/worker.h"

struct ledger_error;

/* Changes the phase; only upward. */
void generation_enter(struct generation *generation, enum generation_phase phase);

/* The same errand on every worker, each with its member, until all are done. Returns the first
 * result that is not NO_ERROR. is_over: of a lasting one, else NULL. */
ULONG generation_send(struct generation *generation, void (*run)(struct worker_call *call),
                      bool (*is_over)(const struct worker *worker));

/* Contract calls that take something away wait, on a thread without a loop of the provider's, until
 * every such loop has noticed; a worker may be waiting for the ledger meanwhile, which that call
 * holds. So beside a generation that serves they are made by a worker. */
enum ledger_step { STEP_OBJECTS, STEP_URLS, STEP_WITHDRAW, STEP_DISCARD };

/* failure: of the two commits. */
ULONG generation_step(struct generation *generation, enum ledger_step what,
                      struct ledger_error *failure);
