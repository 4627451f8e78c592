/* Records out of a damaged file: whatever has a right sum and was not released for all that is known. Pages are not
 * wiped, so a record that was released above the mark comes back; it is counted. */
#include "storage/journal/journal_internal.h"

#include <errno.h>
#include <string.h>

#define TXN_BYTES (UINT64_C(32) << 20)

struct salvage {
    struct sw_store *store;
    MDB_txn *txn;
    uint64_t bytes; // in this transaction
    uint64_t most;  // that one can have
    uint64_t found;
    struct sw_head before[SW_STORE_QUEUES_MAX + 1];
};

static bool released(const struct salvage *salvage, const struct sw_record *record)
{
    char id[SW_RECORD_ID_MAX + 1];
    size_t size = record->exporter.size;
    memcpy(id, record->exporter.data, size);
    id[size] = '\0';
    uint64_t sum = sw_heads_id_sum(id, record->signal);
    for (unsigned i = 1; i <= SW_STORE_QUEUES_MAX; i++) {
        const struct sw_head *head = &salvage->before[i];
        if (head->valid && head->id_sum == sum) {
            return record->seq < head->released_below;
        }
    }
    return false;
}

static int begin(struct salvage *salvage)
{
    salvage->bytes = 0;
    if (!sw_store_allocate(salvage->store, salvage->most)) {
        return ENOSPC;
    }
    return mdb_txn_begin(salvage->store->env, NULL, 0, &salvage->txn);
}

static int commit(struct salvage *salvage)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &salvage->store->queues, link)
    {
        int code = queue->number > 0 ? sw_store_put_row(salvage->store, salvage->txn, queue) : 0;
        if (code != MDB_SUCCESS) {
            return code;
        }
    }
    int code = mdb_txn_commit(salvage->txn);
    salvage->txn = NULL;
    if (code == MDB_SUCCESS) {
        LIST_FOREACH(queue, &salvage->store->queues, link)
        {
            queue->committed = queue->row;
        }
    }
    return code;
}

static void count(
    struct salvage *salvage,
    struct sw_store_queue *queue,
    uint64_t size,
    const struct sw_record *record
)
{
    struct row *row = &queue->row;
    uint64_t cost = sw_store_cost(size);
    row->requests++;
    row->items += record->items_count;
    row->bytes += record->request.size;
    row->cost_bytes += cost;
    salvage->store->cost_bytes += cost;
    row->next_seq = SW_MAX(row->next_seq, record->seq + 1);
    queue->counts.salvaged++;
    salvage->found++;
    salvage->bytes += size;
}

static int
keep(struct salvage *salvage, const struct sw_record *record, const uint8_t *data, size_t size)
{
    struct sw_store *store = salvage->store;
    struct sw_store_queue *queue = sw_store_find_queue(store, record->exporter, record->signal);
    if (queue == NULL) {
        queue = sw_store_add_orphan(store, record->exporter, record->signal);
    }
    if (queue == NULL) {
        return ENOMEM;
    }
    if (queue->number == 0) {
        int code = sw_store_number_queue(store, queue);
        if (code != MDB_SUCCESS) {
            return code;
        }
    }
    uint64_t number = key_of(queue->number, record->seq);
    MDB_val key = {sizeof(number), &number};
    MDB_val value = {size, (void *)data};
    int code = mdb_put(salvage->txn, store->dbi, &key, &value, MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST) {
        return MDB_SUCCESS; // an older copy of the same page
    }
    if (code == MDB_SUCCESS) {
        count(salvage, queue, size, record);
    }
    return code;
}

static void undo(struct salvage *salvage)
{
    struct sw_store *store = salvage->store;
    struct sw_store_queue *queue;
    if (salvage->txn != NULL) {
        mdb_txn_abort(salvage->txn);
    }
    store->cost_bytes = 0;
    LIST_FOREACH(queue, &store->queues, link)
    {
        uint64_t lost = queue->row.requests - queue->committed.requests;
        queue->counts.salvaged -= lost;
        salvage->found -= lost;
        queue->row = queue->committed;
        store->cost_bytes += queue->row.cost_bytes;
    }
}

// Sequence numbers go on behind all that were ever given, so that marks and records stay in order.
static void go_on_behind(struct salvage *salvage)
{
    struct sw_store_queue *queue;
    LIST_FOREACH(queue, &salvage->store->queues, link)
    {
        uint64_t sum = sw_heads_id_sum(queue->exporter, queue->signal);
        for (unsigned i = 1; i <= SW_STORE_QUEUES_MAX; i++) {
            const struct sw_head *head = &salvage->before[i];
            if (head->valid && head->id_sum == sum) {
                uint64_t next = SW_MAX(head->released_below, head->dispatched + 1);
                queue->row.next_seq = SW_MAX(queue->row.next_seq, next);
            }
        }
    }
}

int sw_store_salvage(struct sw_store *store, struct sw_bytes damaged, uint64_t *ret_found)
{
    struct salvage salvage = {.store = store, .most = SW_MIN(2 * TXN_BYTES, damaged.size)};
    struct sw_record record;
    size_t at = 0;
    *ret_found = 0;
    memcpy(salvage.before, store->heads.queues, sizeof(salvage.before));
    go_on_behind(&salvage);
    int code = begin(&salvage);
    while (code == MDB_SUCCESS && sw_record_find(damaged, &at, &record)) {
        if (released(&salvage, &record)) {
            continue;
        }
        size_t size =
            SW_RECORD_HEAD_BYTES + record.exporter.size + record.client.size + record.request.size;
        code = keep(&salvage, &record, damaged.data + at - size, size);
        if (code == MDB_SUCCESS && salvage.bytes >= TXN_BYTES) {
            code = commit(&salvage);
            code = code == MDB_SUCCESS ? begin(&salvage) : code;
        }
    }
    if (code == MDB_SUCCESS) {
        code = commit(&salvage);
    }
    if (code != MDB_SUCCESS) {
        undo(&salvage);
    }
    *ret_found = salvage.found;
    return sw_store_error(code);
}
