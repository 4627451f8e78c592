#include "dataplane/pipeline/balance.h"

#include "dataplane/base/mem.h"

#include <stdatomic.h>
#include <string.h>

/* One core's books and the copy that readers see. The seqlock needs no fence: each entry is stored
 * with release and loaded with acquire, so a reader that saw a new entry also sees the odd count. */
struct sw_books {
    struct sw_ledger ledger;
    _Alignas(64) _Atomic uint64_t sequence;
    _Atomic int64_t *published; // SW_FLOWS_COUNT, then SW_BRANCH_FLOWS_COUNT per branch
};

struct sw_balance {
    char *pipeline;
    enum sw_signal signal;
    const char **exporters;
    unsigned exporters_count;
    unsigned cores_count;
    struct sw_books *books;
};

static int books_init(struct sw_balance *balance, struct sw_books *books)
{
    unsigned branches = balance->exporters_count;
    books->ledger.branches_count = branches;
    books->ledger.branches = sw_zalloc(branches * sizeof(struct sw_branch));
    books->published =
        sw_zalloc((SW_FLOWS_COUNT + branches * SW_BRANCH_FLOWS_COUNT) * sizeof(_Atomic int64_t));
    if (books->ledger.branches == NULL || books->published == NULL) {
        return SW_E_NOMEM;
    }
    for (unsigned i = 0; i < branches; i++) {
        books->ledger.branches[i].exporter = balance->exporters[i];
    }
    return SW_OK;
}

int sw_balance_new(
    const char *pipeline,
    enum sw_signal signal,
    const char *const *exporters,
    unsigned exporters_count,
    unsigned cores_count,
    struct sw_balance **ret_balance
)
{
    struct sw_balance *balance = sw_zalloc(sizeof(*balance));
    if (balance == NULL) {
        return SW_E_NOMEM;
    }
    balance->signal = signal;
    balance->exporters_count = exporters_count;
    balance->cores_count = cores_count;
    balance->pipeline = sw_strdup(pipeline);
    balance->exporters = sw_zalloc(exporters_count * sizeof(char *));
    balance->books = sw_aligned_alloc(64, cores_count * sizeof(struct sw_books));
    if (balance->books != NULL) { // before anything can go wrong: free looks into them
        memset(balance->books, 0, cores_count * sizeof(struct sw_books));
    }
    if (balance->pipeline == NULL || balance->exporters == NULL || balance->books == NULL) {
        goto fail;
    }
    for (unsigned i = 0; i < exporters_count; i++) {
        balance->exporters[i] = sw_strdup(exporters[i]);
        if (balance->exporters[i] == NULL) {
            goto fail;
        }
    }
    for (unsigned core = 0; core < cores_count; core++) {
        if (books_init(balance, &balance->books[core]) != SW_OK) {
            goto fail;
        }
    }
    *ret_balance = balance;
    return SW_OK;
fail:
    sw_balance_free(balance);
    return SW_E_NOMEM;
}

void sw_balance_free(struct sw_balance *balance)
{
    if (balance == NULL) {
        return;
    }
    for (unsigned core = 0; balance->books != NULL && core < balance->cores_count; core++) {
        sw_free(balance->books[core].ledger.branches);
        sw_free((void *)balance->books[core].published);
    }
    for (unsigned i = 0; balance->exporters != NULL && i < balance->exporters_count; i++) {
        sw_free((char *)balance->exporters[i]);
    }
    sw_free(balance->books);
    sw_free(balance->exporters);
    sw_free(balance->pipeline);
    sw_free(balance);
}

struct sw_ledger *sw_balance_ledger(struct sw_balance *balance, unsigned core)
{
    SW_ASSERT(core < balance->cores_count);
    return &balance->books[core].ledger;
}

static void publish(_Atomic int64_t *to, const int64_t *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        atomic_store_explicit(&to[i], from[i], memory_order_release);
    }
}

void sw_balance_publish(struct sw_balance *balance, unsigned core)
{
    struct sw_books *books = &balance->books[core];
    uint64_t sequence = atomic_load_explicit(&books->sequence, memory_order_relaxed);
    atomic_store_explicit(&books->sequence, sequence + 1, memory_order_relaxed);
    publish(books->published, books->ledger.flow, SW_FLOWS_COUNT);
    for (unsigned i = 0; i < balance->exporters_count; i++) {
        publish(
            books->published + SW_FLOWS_COUNT + i * SW_BRANCH_FLOWS_COUNT,
            books->ledger.branches[i].flow,
            SW_BRANCH_FLOWS_COUNT
        );
    }
    atomic_store_explicit(&books->sequence, sequence + 2, memory_order_release);
}

// One consistent copy of a core's published books; a writer is never slower than a few hundred
// nanoseconds, so trying again ends.
static void read_books(struct sw_books *books, unsigned branch, int64_t *flow, int64_t *branch_flow)
{
    const _Atomic int64_t *from = books->published;
    uint64_t before;
    uint64_t after;
    do {
        before = atomic_load_explicit(&books->sequence, memory_order_acquire);
        for (unsigned i = 0; i < SW_FLOWS_COUNT; i++) {
            flow[i] = atomic_load_explicit(&from[i], memory_order_acquire);
        }
        for (unsigned i = 0; i < SW_BRANCH_FLOWS_COUNT; i++) {
            branch_flow[i] = atomic_load_explicit(
                &from[SW_FLOWS_COUNT + branch * SW_BRANCH_FLOWS_COUNT + i], memory_order_acquire
            );
        }
        after = atomic_load_explicit(&books->sequence, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
}

void sw_balance_read(struct sw_balance *balance, unsigned branch, struct sw_balance_sum *ret_sum)
{
    SW_ASSERT(branch < balance->exporters_count);
    memset(ret_sum, 0, sizeof(*ret_sum));
    for (unsigned core = 0; core < balance->cores_count; core++) {
        int64_t flow[SW_FLOWS_COUNT];
        int64_t branch_flow[SW_BRANCH_FLOWS_COUNT];
        read_books(&balance->books[core], branch, flow, branch_flow);
        for (unsigned i = 0; i < SW_FLOWS_COUNT; i++) {
            ret_sum->flow[i] += flow[i];
        }
        for (unsigned i = 0; i < SW_BRANCH_FLOWS_COUNT; i++) {
            ret_sum->branch[i] += branch_flow[i];
        }
    }
    int64_t out = 0;
    for (unsigned i = SW_FLOW_FILTERED; i < SW_FLOWS_COUNT; i++) {
        out += ret_sum->flow[i];
    }
    for (unsigned i = 0; i < SW_BRANCH_FLOWS_COUNT; i++) {
        out += ret_sum->branch[i];
    }
    ret_sum->error = ret_sum->flow[SW_FLOW_RECEIVED] + ret_sum->flow[SW_FLOW_GENERATED] - out;
}

const char *sw_balance_pipeline(const struct sw_balance *balance)
{
    return balance->pipeline;
}

enum sw_signal sw_balance_signal(const struct sw_balance *balance)
{
    return balance->signal;
}

unsigned sw_balance_branches_count(const struct sw_balance *balance)
{
    return balance->exporters_count;
}

const char *sw_balance_exporter(const struct sw_balance *balance, unsigned branch)
{
    SW_ASSERT(branch < balance->exporters_count);
    return balance->exporters[branch];
}
