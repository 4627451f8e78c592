/* Whose time has come. Traces are numbered in order of arrival and all wait equally long, so what
 * is due is a prefix of them; a cursor walks over it. Two kinds stand out of line: traces whose
 * root span arrived (they are due earlier) and IDs that were pushed out undecided (their turn still
 * comes, and decides the trace early if the ID has come back; reference: 3.3, 3.4). */
#include "dataplane/base/mem.h"
#include "sampling/assemble/assemble_internal.h"

#include <stddef.h>

#define CHUNK_BYTES 4032u

struct fifo_chunk {
    struct fifo_chunk *next;
    uint32_t first; // items taken
    uint32_t count; // items put
    uint8_t data[CHUNK_BYTES];
};

void sw_trace_fifo_init(struct fifo *fifo, struct sw_account *account, uint32_t item_size)
{
    *fifo = (struct fifo){.account = account, .item_size = item_size};
}

static void chunk_free(struct fifo *fifo, struct fifo_chunk *chunk)
{
    if (chunk != NULL) {
        fifo->bytes -= sizeof(*chunk);
        sw_account_charge(fifo->account, -(int64_t)sizeof(*chunk));
        sw_free(chunk);
    }
}

void sw_trace_fifo_fini(struct fifo *fifo)
{
    while (fifo->first != NULL) {
        struct fifo_chunk *next = fifo->first->next;
        chunk_free(fifo, fifo->first);
        fifo->first = next;
    }
    chunk_free(fifo, fifo->spare);
}

static struct fifo_chunk *chunk_new(struct fifo *fifo)
{
    struct fifo_chunk *chunk = fifo->spare;
    fifo->spare = NULL;
    if (chunk == NULL) {
        chunk = sw_alloc(sizeof(*chunk));
        if (chunk == NULL) {
            return NULL;
        }
        fifo->bytes += sizeof(*chunk);
        sw_account_charge(fifo->account, sizeof(*chunk));
    }
    chunk->next = NULL;
    chunk->first = 0;
    chunk->count = 0;
    return chunk;
}

int sw_trace_fifo_push(struct fifo *fifo, const void *item)
{
    struct fifo_chunk *last = fifo->last;
    if (last == NULL || (last->count + 1) * fifo->item_size > CHUNK_BYTES) {
        struct fifo_chunk *chunk = chunk_new(fifo);
        if (chunk == NULL) {
            return SW_E_NOMEM;
        }
        if (last != NULL) {
            last->next = chunk;
        } else {
            fifo->first = chunk;
        }
        fifo->last = last = chunk;
    }
    memcpy(last->data + last->count++ * fifo->item_size, item, fifo->item_size);
    fifo->count++;
    return SW_OK;
}

const void *sw_trace_fifo_first(const struct fifo *fifo)
{
    const struct fifo_chunk *chunk = fifo->first;
    return fifo->count > 0 ? chunk->data + chunk->first * fifo->item_size : NULL;
}

void sw_trace_fifo_pop(struct fifo *fifo)
{
    struct fifo_chunk *chunk = fifo->first;
    fifo->count--;
    if (++chunk->first < chunk->count) {
        return;
    }
    fifo->first = chunk->next;
    if (fifo->first == NULL) {
        fifo->last = NULL;
    }
    if (fifo->spare == NULL) {
        fifo->spare = chunk;
    } else {
        chunk_free(fifo, chunk);
    }
}

/* ---- turns ---- */

void sw_trace_wait_init(struct sw_trace_table *table)
{
    struct wait *wait = &table->wait;
    wait->cursor = table->first;
    sw_trace_fifo_init(&wait->ghosts, table->conf.account, sizeof(struct ghost));
    sw_trace_fifo_init(&wait->moves, table->conf.account, sizeof(struct moved));
}

void sw_trace_wait_fini(struct sw_trace_table *table)
{
    sw_trace_fifo_fini(&table->wait.ghosts);
    sw_trace_fifo_fini(&table->wait.moves);
}

void sw_trace_wait_ghost(struct sw_trace_table *table, const struct sw_trace *trace)
{
    struct wait *wait = &table->wait;
    struct ghost ghost = {.turn = trace->turn};
    memcpy(ghost.id, trace->id, sizeof(ghost.id));
    // There may be no more of them than traces; who finds no place is counted at once.
    if (wait->ghosts.count >= table->conf.limits->traces_max
        || sw_trace_fifo_push(&wait->ghosts, &ghost) != SW_OK) {
        wait->too_early++;
    }
}

void sw_trace_root_arrived(struct sw_trace_table *table, struct sw_trace *trace)
{
    if (!table->conf.early || trace->state != SW_TRACE_UNDECIDED) {
        return;
    }
    struct moved moved = {
        .number = trace->number,
        .turn = table->wait.ticks + (uint32_t)table->conf.early_ticks,
    };
    // Without memory it keeps its turn, which is only later.
    if (is_before(moved.turn, trace->turn)
        && sw_trace_fifo_push(&table->wait.moves, &moved) == SW_OK) {
        trace->turn = moved.turn;
    }
}

void sw_trace_table_tick(struct sw_trace_table *table)
{
    table->wait.due = ++table->wait.ticks;
}

void sw_trace_table_all_due(struct sw_trace_table *table)
{
    table->wait.all = true;
}

uint64_t sw_trace_table_too_early(struct sw_trace_table *table)
{
    uint64_t count = table->wait.too_early;
    table->wait.too_early = 0;
    return count;
}

static bool is_due(const struct wait *wait, uint32_t turn)
{
    return wait->all || is_before(turn, wait->due);
}

static bool is_live(const struct sw_trace_table *table, uint32_t number)
{
    return !is_before(number, table->first) && is_before(number, table->next);
}

static struct sw_trace *due_moved(struct sw_trace_table *table, uint32_t *effort)
{
    struct wait *wait = &table->wait;
    const struct moved *first;
    while (*effort > 0 && (first = sw_trace_fifo_first(&wait->moves)) != NULL
           && is_due(wait, first->turn)) {
        struct moved moved = *first;
        --*effort;
        sw_trace_fifo_pop(&wait->moves);
        struct sw_trace *trace =
            is_live(table, moved.number) ? trace_at(table, moved.number) : NULL;
        if (trace != NULL && trace->state == SW_TRACE_UNDECIDED) {
            return trace;
        }
    }
    return NULL;
}

static struct sw_trace *due_ghost(struct sw_trace_table *table, uint32_t *effort)
{
    struct wait *wait = &table->wait;
    const struct ghost *first;
    while (*effort > 0 && (first = sw_trace_fifo_first(&wait->ghosts)) != NULL
           && is_due(wait, first->turn)) {
        struct ghost ghost = *first;
        --*effort;
        sw_trace_fifo_pop(&wait->ghosts);
        uint32_t hash = (uint32_t)sw_shard_hash(table->conf.key, ghost.id);
        struct sw_trace *trace = sw_trace_find(table, ghost.id, hash);
        if (trace == NULL) {
            wait->too_early++;
        } else if (trace->state == SW_TRACE_UNDECIDED) {
            return trace;
        }
    }
    return NULL;
}

static struct sw_trace *due_in_line(struct sw_trace_table *table, uint32_t *effort)
{
    struct wait *wait = &table->wait;
    for (; *effort > 0 && wait->cursor != table->next; wait->cursor = number_after(wait->cursor)) {
        struct sw_trace *trace = trace_at(table, wait->cursor);
        --*effort;
        if (trace->state != SW_TRACE_UNDECIDED) {
            continue;
        }
        return is_due(wait, trace->turn) ? trace : NULL;
    }
    return NULL;
}

struct sw_trace *sw_trace_table_due(struct sw_trace_table *table, uint32_t *effort)
{
    struct sw_trace *trace = due_moved(table, effort);
    if (trace == NULL) {
        trace = due_ghost(table, effort);
    }
    return trace != NULL ? trace : due_in_line(table, effort);
}
