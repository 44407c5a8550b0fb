#include "runtime/ctl.h"

#include <string.h>

#include "base/clock.h"
#include "base/visible.h"
#include "binding/ledger.h"
#include "runtime/hostdata.h"

static const char *phase_name(enum generation_phase phase)
{
    static const char *const names[] = {
        [GENERATION_LOADING] = "loading",       [GENERATION_LOADED] = "loaded",
        [GENERATION_COMMITTING] = "committing", [GENERATION_SERVING] = "serving",
        [GENERATION_RETIRING] = "retiring",     [GENERATION_CLOSED] = "closed",
        [GENERATION_DISCARDED] = "discarded",
    };
    return names[phase];
}

static void tell_gens(const struct host *host, struct buf *out)
{
    struct list_node *node, *next;
    uint64_t now_ns = clock_mono_ns();
    LIST_FOREACH_SAFE(node, next, &host->generations)
    {
        const struct generation *generation = LIST_ITEM(node, struct generation, node);
        (void)buf_printf(out, "gen %u  %s  %.1f s", (unsigned)generation->number,
                         phase_name(generation->phase),
                         (double)(now_ns - generation->phase_ns) / 1e9);
        if (generation->phase == GENERATION_RETIRING) {
            (void)buf_printf(out, "  %zu of %zu workers done", generation->quiet,
                             generation->member_count);
        }
        (void)buf_printf(out, "\n");
    }
}

/* Texts that scripts have a hand in: the answer is for a terminal. */
static void add_visible(struct buf *out, const char *text)
{
    char shown[LOAD_TEXT_BYTES_MAX * 2];
    (void)buf_printf(out, "%s", visible_text(shown, sizeof shown, text, "\n\t"));
}

static void tell_status(const struct host *host, struct buf *out)
{
    const struct reload *reload = &host->reload;
    (void)buf_printf(out, "workers %u\nreloads %u done, %u failed\n", host->worker_count,
                     reload->done, reload->failed);
    tell_gens(host, out);
    if (reload->broken) {
        (void)buf_printf(out, "broken ");
        add_visible(out, reload->error.text);
        (void)buf_printf(out, "\n");
    }
}

static bool tell_node(void *ctx, const struct ledger_info *info)
{
    struct buf *out = ctx;
    static const int depth[] = {
        [NODE_QUEUE] = 0, [NODE_SESSION] = 0, [NODE_GROUP] = 1, [NODE_URL] = 2};
    if (info->kind == NODE_INITIALIZATION) {
        return true;
    }
    (void)buf_printf(out, "%*s%s ", depth[info->kind] * 2, "", ledger_kind_name(info->kind));
    add_visible(out, info->host_made ? "(host)" : info->name);
    (void)buf_printf(out, "  %s  %u share%s", ledger_state_name(info->state),
                     (unsigned)info->shares, info->shares == 1 ? "" : "s");
    if (info->made.file[0] != '\0') {
        (void)buf_printf(out, "  %s:%d", info->made.file, info->made.line);
    }
    (void)buf_printf(out, "\n");
    return true;
}

static enum ctl_fate end(struct host *host, bool patient)
{
    if (patient) {
        host->drain_ns = UINT64_MAX;
    }
    host_stop(host, HOST_CAUSE_STOP, HOST_EXIT_OK, "stopped by ctl");
    return CTL_ENDING;
}

enum ctl_fate ctl_answer(struct host *host, struct slice line, struct ctl_question *question)
{
    question->code = HOST_EXIT_OK;
    if (slice_equal(line, SLICE_LIT("stop")) || slice_equal(line, SLICE_LIT("drain"))) {
        return end(host, slice_equal(line, SLICE_LIT("drain")));
    }
    if (slice_equal(line, SLICE_LIT("reload")) && !host_is_stopping(host)) {
        reload_request(host, "ctl", &question->waiter);
        return CTL_RELOADING;
    }
    if (slice_equal(line, SLICE_LIT("rollback")) && !host_is_stopping(host)) {
        if (reload_request_back(host, &question->waiter)) {
            return CTL_RELOADING;
        }
        question->code = HOST_EXIT_FAILED;
        (void)buf_printf(&question->text, "error: there is no generation before this one\n");
        return CTL_ANSWERED;
    }
    if (slice_equal(line, SLICE_LIT("status"))) {
        tell_status(host, &question->text);
    } else if (slice_equal(line, SLICE_LIT("gens"))) {
        tell_gens(host, &question->text);
    } else if (slice_equal(line, SLICE_LIT("tree"))) {
        ledger_walk(host->ledger, tell_node, &question->text);
    } else {
        question->code = host_is_stopping(host) ? HOST_EXIT_FAILED : HOST_EXIT_USAGE;
        (void)buf_printf(
            &question->text, "error: %s\n",
            host_is_stopping(host)
                ? "the host stops"
                : "unknown question; reload, rollback, status, gens, tree, drain, stop");
    }
    return CTL_ANSWERED;
}

void ctl_describe_reload(struct ctl_question *question, const struct reload_result *result)
{
    struct buf *out = &question->text;
    if (result->ok) {
        question->code = HOST_EXIT_OK;
        (void)buf_printf(out, "reload  gen %u -> %u  %.1f ms\n", (unsigned)result->before,
                         (unsigned)result->after, (double)result->took_ns / 1e6);
        return;
    }
    question->code = HOST_EXIT_LOAD;
    (void)buf_printf(out, "broken  ");
    add_visible(out, result->error->text);
    (void)buf_printf(out, "\ngen %u keeps serving\n", (unsigned)result->before);
    if (result->error->hint[0] != '\0') {
        (void)buf_printf(out, "hint:  ");
        add_visible(out, result->error->hint);
        (void)buf_printf(out, "\n");
    }
}

void ctl_describe_end(struct ctl_question *question, const struct host_verdict *verdict)
{
    question->code = verdict->code;
    (void)buf_printf(&question->text, "exit %d: ", verdict->code);
    add_visible(&question->text, verdict->reason);
    (void)buf_printf(&question->text, "\n");
}
