/* Reads what a window's file holds after a crash. Whatever the bytes are, nothing outside of them is touched; what
 * is found must be validated by whoever takes it for telemetry.
 *
 * Two passes: records are listed in order of arrival, and notes say what became of them; then those that are left
 * are told. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/protobuf.h"
#include "sampling/assemble/assemble_internal.h"

#include <stdlib.h>

#define PAGE      4096u
#define NONE      UINT32_MAX
#define DROPPED   UINT32_MAX // in place of a payload
#define TABLE_MIN 1024u
#define TAG_SPAN  SW_PB_TAG(2, SW_PB_LEN) // of ScopeSpans
#define TAG_ID    SW_PB_TAG(1, SW_PB_LEN) // of Span

struct segment {
    const uint8_t *data;
    uint32_t committed;
    uint64_t sequence;
};

struct found {
    const uint8_t *segment;
    uint32_t offset;
    uint32_t size;    // of the spans: not more than was committed
    uint32_t payload; // 0: none yet; DROPPED
    uint32_t next;    // of the same trace and not in a payload
};

struct trace {
    uint8_t id[SW_TRACE_ID_BYTES];
    uint32_t first; // records that no note has taken; NONE: there are none
    uint32_t last;
    bool used;
};

struct sw_window_replay {
    struct segment *segments;
    uint32_t segments_count;
    struct found *records;
    uint32_t records_count;
    uint32_t records_capacity;
    struct trace *traces; // open addressing
    uint32_t traces_count;
    uint32_t traces_capacity;
    uint32_t *released; // open addressing; 0: empty
    uint32_t released_count;
    uint32_t released_capacity;
    uint32_t next; // record to be told
};

/* ---- tables ---- */

static uint32_t hash_of(const uint8_t *id)
{
    uint64_t words[2];
    memcpy(words, id, sizeof(words));
    return (uint32_t
    )(sw_shard_mix(words[0] ^ 0xa0761d6478bd642fu, words[1] ^ 0xe7037ed1a0b428dbu) >> 32);
}

static struct trace *trace_place(const struct sw_window_replay *replay, const uint8_t *id)
{
    uint32_t at = hash_of(id) & (replay->traces_capacity - 1);
    while (replay->traces[at].used && memcmp(replay->traces[at].id, id, SW_TRACE_ID_BYTES) != 0) {
        at = (at + 1) & (replay->traces_capacity - 1);
    }
    return &replay->traces[at];
}

static int grow_traces(struct sw_window_replay *replay)
{
    struct sw_window_replay larger = {
        .traces_capacity = SW_MAX(TABLE_MIN, replay->traces_capacity * 2)};
    larger.traces = sw_zalloc(larger.traces_capacity * sizeof(struct trace));
    if (larger.traces == NULL) {
        return SW_E_NOMEM;
    }
    for (uint32_t i = 0; i < replay->traces_capacity; i++) {
        if (replay->traces[i].used) {
            *trace_place(&larger, replay->traces[i].id) = replay->traces[i];
        }
    }
    sw_free(replay->traces);
    replay->traces = larger.traces;
    replay->traces_capacity = larger.traces_capacity;
    return SW_OK;
}

static struct trace *trace_of(struct sw_window_replay *replay, const uint8_t *id)
{
    if (replay->traces_count >= replay->traces_capacity / 2 && grow_traces(replay) != SW_OK) {
        return NULL;
    }
    struct trace *trace = trace_place(replay, id);
    if (!trace->used) {
        *trace = (struct trace){.first = NONE, .last = NONE, .used = true};
        memcpy(trace->id, id, SW_TRACE_ID_BYTES);
        replay->traces_count++;
    }
    return trace;
}

static uint32_t *released_place(const struct sw_window_replay *replay, uint32_t payload)
{
    uint32_t at = (payload * 0x9e3779b1u) & (replay->released_capacity - 1);
    while (replay->released[at] != 0 && replay->released[at] != payload) {
        at = (at + 1) & (replay->released_capacity - 1);
    }
    return &replay->released[at];
}

static int release(struct sw_window_replay *replay, uint32_t payload)
{
    if (replay->released_count >= replay->released_capacity / 2) {
        struct sw_window_replay larger = {
            .released_capacity = SW_MAX(TABLE_MIN, replay->released_capacity * 2),
        };
        larger.released = sw_zalloc(larger.released_capacity * sizeof(uint32_t));
        if (larger.released == NULL) {
            return SW_E_NOMEM;
        }
        for (uint32_t i = 0; i < replay->released_capacity; i++) {
            if (replay->released[i] != 0) {
                *released_place(&larger, replay->released[i]) = replay->released[i];
            }
        }
        sw_free(replay->released);
        replay->released = larger.released;
        replay->released_capacity = larger.released_capacity;
    }
    uint32_t *place = released_place(replay, payload);
    replay->released_count += *place == 0;
    *place = payload;
    return SW_OK;
}

static bool is_released(const struct sw_window_replay *replay, uint32_t payload)
{
    return replay->released_capacity > 0 && *released_place(replay, payload) == payload;
}

/* ---- segments ---- */

static int by_sequence(const void *a_ptr, const void *b_ptr)
{
    const struct segment *a = a_ptr;
    const struct segment *b = b_ptr;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static int list_segments(struct sw_window_replay *replay, struct sw_bytes file)
{
    uint64_t most = file.size / PAGE;
    replay->segments = sw_alloc(SW_MAX(most, UINT64_C(1)) * sizeof(struct segment));
    if (replay->segments == NULL) {
        return SW_E_NOMEM;
    }
    for (uint64_t at = 0; at + PAGE <= file.size;) {
        struct segment_head head;
        memcpy(&head, file.data + at, sizeof(head));
        bool sound = head.magic == SEGMENT_MAGIC && head.size >= PAGE && head.size % PAGE == 0
                     && head.size <= file.size - at && head.committed <= head.size;
        if (!sound) {
            at += PAGE;
            continue;
        }
        if (head.committed > SEGMENT_BEGIN) {
            replay->segments[replay->segments_count++] =
                (struct segment){file.data + at, head.committed, head.sequence};
        }
        at += head.size;
    }
    qsort(replay->segments, replay->segments_count, sizeof(struct segment), by_sequence);
    return SW_OK;
}

/* ---- items ---- */

static bool fits(const struct segment *segment, uint32_t offset, uint64_t size)
{
    return offset % 4 == 0 && offset >= SEGMENT_BEGIN && offset <= segment->committed
           && size <= segment->committed - offset;
}

static bool
resource_read(const struct segment *segment, uint32_t offset, struct sw_bytes *ret_bytes)
{
    struct stored_bytes stored;
    if (!fits(segment, offset, sizeof(stored))) {
        return false;
    }
    memcpy(&stored, segment->data + offset, sizeof(stored));
    *ret_bytes = (struct sw_bytes){segment->data + offset + sizeof(stored), stored.size};
    return stored.kind == ITEM_RESOURCE
           && fits(segment, offset, sizeof(stored) + (uint64_t)stored.size);
}

static bool scope_read(
    const struct segment *segment,
    uint32_t offset,
    struct sw_bytes *ret_resource,
    struct sw_bytes *ret_scope
)
{
    struct stored_scope stored;
    if (!fits(segment, offset, sizeof(stored))) {
        return false;
    }
    memcpy(&stored, segment->data + offset, sizeof(stored));
    *ret_scope = (struct sw_bytes){segment->data + offset + sizeof(stored), stored.size};
    return stored.kind == ITEM_SCOPE
           && fits(segment, offset, sizeof(stored) + (uint64_t)stored.size)
           && resource_read(segment, stored.resource, ret_resource);
}

// The trace of the first span.
static const uint8_t *trace_id_of(struct sw_bytes spans)
{
    struct sw_pb_reader outer;
    struct sw_pb_reader inner;
    struct sw_pb_field span;
    struct sw_pb_field field;
    sw_pb_reader_init(&outer, spans);
    if (!sw_pb_next(&outer, &span) || span.tag != TAG_SPAN) {
        return NULL;
    }
    sw_pb_reader_init(&inner, span.bytes);
    while (sw_pb_next(&inner, &field)) {
        if (field.tag == TAG_ID && field.bytes.size == SW_TRACE_ID_BYTES) {
            return field.bytes.data;
        }
    }
    return NULL;
}

// Spans that a crash came in between: whole ones are counted, what is behind them is left out.
static uint32_t whole_spans(struct sw_bytes *spans)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint32_t count = 0;
    size_t size = 0;
    sw_pb_reader_init(&reader, *spans);
    while (sw_pb_next(&reader, &field) && field.tag == TAG_SPAN) {
        size = (size_t)(field.whole.data + field.whole.size - spans->data);
        count++;
    }
    spans->size = size;
    return count;
}

static int list_record(
    struct sw_window_replay *replay,
    const struct segment *segment,
    uint32_t offset,
    uint32_t size
)
{
    struct sw_bytes spans = {segment->data + offset + sizeof(struct record), size};
    const uint8_t *id = trace_id_of(spans);
    if (id == NULL) {
        return SW_OK;
    }
    struct trace *trace = trace_of(replay, id);
    if (trace == NULL) {
        return SW_E_NOMEM;
    }
    if (replay->records_count == replay->records_capacity) {
        uint32_t capacity = SW_MAX(TABLE_MIN, replay->records_capacity * 2);
        struct found *records = sw_realloc(replay->records, capacity * sizeof(*records));
        if (records == NULL) {
            return SW_E_NOMEM;
        }
        replay->records = records;
        replay->records_capacity = capacity;
    }
    uint32_t index = replay->records_count++;
    replay->records[index] = (struct found){segment->data, offset, size, 0, NONE};
    if (trace->last != NONE) {
        replay->records[trace->last].next = index;
    } else {
        trace->first = index;
    }
    trace->last = index;
    return SW_OK;
}

static int decide(struct sw_window_replay *replay, const struct decided_note *note)
{
    struct trace *trace = trace_of(replay, note->id);
    if (trace == NULL) {
        return SW_E_NOMEM;
    }
    for (uint32_t at = trace->first; at != NONE; at = replay->records[at].next) {
        replay->records[at].payload = note->payload == 0 ? DROPPED : note->payload;
    }
    trace->first = trace->last = NONE;
    return SW_OK;
}

// @return bytes of the item; 0: there is none that makes sense
static uint64_t
item_size(const struct segment *segment, uint32_t offset, uint32_t *ret_payload_size)
{
    uint32_t words[4] = {0};
    if (!fits(segment, offset, sizeof(struct released_note))) {
        return 0;
    }
    uint32_t left = segment->committed - offset;
    memcpy(words, segment->data + offset, SW_MIN(left, (uint32_t)sizeof(words)));
    switch (words[0]) {
    case ITEM_RESOURCE:
        return sizeof(struct stored_bytes) + (uint64_t)words[1];
    case ITEM_SCOPE:
        return sizeof(struct stored_scope) + (uint64_t)words[2];
    case ITEM_RECORD:
        *ret_payload_size = words[2] & RECORD_SIZE;
        return sizeof(struct record) + (uint64_t)*ret_payload_size;
    case ITEM_DECIDED:
        return sizeof(struct decided_note);
    case ITEM_RELEASED:
        return sizeof(struct released_note);
    default:
        return 0;
    }
}

static int read_item(
    struct sw_window_replay *replay,
    const struct segment *segment,
    uint32_t offset,
    uint64_t size,
    uint32_t spans_size
)
{
    uint32_t kind;
    memcpy(&kind, segment->data + offset, sizeof(kind));
    if (kind == ITEM_RECORD && fits(segment, offset, sizeof(struct record))) {
        uint32_t left = segment->committed - offset - (uint32_t)sizeof(struct record);
        return list_record(replay, segment, offset, SW_MIN(spans_size, left));
    }
    if (!fits(segment, offset, size)) {
        return SW_OK;
    }
    if (kind == ITEM_DECIDED) {
        struct decided_note note;
        memcpy(&note, segment->data + offset, sizeof(note));
        return decide(replay, &note);
    }
    if (kind == ITEM_RELEASED) {
        struct released_note note;
        memcpy(&note, segment->data + offset, sizeof(note));
        return note.payload != 0 ? release(replay, note.payload) : SW_OK;
    }
    return SW_OK;
}

static int read_segment(struct sw_window_replay *replay, const struct segment *segment)
{
    uint64_t offset = SEGMENT_BEGIN;
    int err = SW_OK;
    while (err == SW_OK && offset < segment->committed) {
        uint32_t spans_size = 0;
        uint64_t size = item_size(segment, (uint32_t)offset, &spans_size);
        if (size == 0) {
            break;
        }
        err = read_item(replay, segment, (uint32_t)offset, size, spans_size);
        offset = (offset + size + 3) & ~UINT64_C(3);
    }
    return err;
}

/* ---- what is left ---- */

static bool look(const struct found *record, struct sw_replayed *ret_replayed)
{
    struct record head;
    const struct segment segment = {
        record->segment,
        ((const struct segment_head *)record->segment)->committed,
        0,
    };
    memcpy(&head, record->segment + record->offset, sizeof(head));
    ret_replayed->sampled = record->payload != 0;
    ret_replayed->spans = (struct sw_bytes){
        record->segment + record->offset + sizeof(head),
        record->size,
    };
    ret_replayed->spans_count = whole_spans(&ret_replayed->spans);
    return ret_replayed->spans_count > 0
           && scope_read(&segment, head.scope, &ret_replayed->resource, &ret_replayed->scope);
}

bool sw_window_replay_next(struct sw_window_replay *replay, struct sw_replayed *ret_replayed)
{
    while (replay->next < replay->records_count) {
        const struct found *record = &replay->records[replay->next++];
        if (record->payload != DROPPED
            && (record->payload == 0 || !is_released(replay, record->payload))
            && look(record, ret_replayed)) {
            return true;
        }
    }
    return false;
}

int sw_window_replay_new(struct sw_bytes file, struct sw_window_replay **ret_replay)
{
    struct sw_window_replay *replay = sw_zalloc(sizeof(*replay));
    if (replay == NULL) {
        return SW_E_NOMEM;
    }
    int err = list_segments(replay, file);
    for (uint32_t i = 0; err == SW_OK && i < replay->segments_count; i++) {
        err = read_segment(replay, &replay->segments[i]);
    }
    if (err != SW_OK) {
        sw_window_replay_free(replay);
        return err;
    }
    *ret_replay = replay;
    return SW_OK;
}

void sw_window_replay_free(struct sw_window_replay *replay)
{
    if (replay != NULL) {
        sw_free(replay->segments);
        sw_free(replay->records);
        sw_free(replay->traces);
        sw_free(replay->released);
        sw_free(replay);
    }
}
