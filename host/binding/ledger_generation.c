/* What two generations have in common, and what one of them alone has. */
#include "binding/ledger.h"

#include <string.h>

#include "binding/ledger_internal.h"

bool node_is_own(const struct node *node, uint32_t generation)
{
    bool own = false;
    for (uint32_t i = 0; i < node->share_count; i++) {
        const struct share *share = &node->shares[i];
        if (share->live && share->generation != generation) {
            return false;
        }
        own = own || share->live;
    }
    return own && !node->host_made;
}

static size_t count_own(struct ledger *ledger, enum node_kind kind, uint32_t generation)
{
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    size_t count = 0;
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
    {
        count += node_is_own(LIST_ITEM(at, struct node, of_kind), generation) ? 1 : 0;
    }
    return count;
}

void ledger_count_own(struct ledger *ledger, uint32_t generation, size_t counts[NODE_KIND_COUNT])
{
    ledger_lock(ledger);
    for (int kind = 0; kind < NODE_KIND_COUNT; kind++) {
        counts[kind] = count_own(ledger, (enum node_kind)kind, generation);
    }
    ledger_unlock(ledger);
}

size_t ledger_compare(struct ledger *ledger, uint32_t a, uint32_t b)
{
    struct list_node *at = NULL;
    struct list_node *next = NULL;
    size_t count = 0;
    ledger_lock(ledger);
    LIST_FOREACH_SAFE(at, next, &ledger->kinds[NODE_URL])
    {
        const struct node *node = LIST_ITEM(at, struct node, of_kind);
        count += node_has_live_share(node, a) != node_has_live_share(node, b) ? 1 : 0;
    }
    ledger_unlock(ledger);
    return count;
}

void ledger_leftovers(struct ledger *ledger, uint32_t generation,
                      void (*fn)(void *ctx, const struct ledger_info *info), void *ctx)
{
    ledger_lock(ledger);
    for (int kind = NODE_QUEUE; kind < NODE_URL; kind++) {
        struct list_node *at = NULL;
        struct list_node *next = NULL;
        LIST_FOREACH_SAFE(at, next, &ledger->kinds[kind])
        {
            const struct node *node = LIST_ITEM(at, struct node, of_kind);
            if (node_is_own(node, generation) && !node->served) {
                struct ledger_info info;
                node_describe(node, NULL, &info);
                fn(ctx, &info);
            }
        }
    }
    ledger_unlock(ledger);
}
