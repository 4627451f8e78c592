#include "perf/loadgen/walk.h"

#include <string.h>

void sw_lg_walk_begin(
    struct sw_lg_walk *walk,
    enum sw_lg_signal signal,
    uint64_t size,
    bool want_ids
)
{
    struct sw_lg_bytes ids = walk->ids;
    memset(walk, 0, sizeof(*walk));
    walk->ids = ids;
    walk->ids.len = 0;
    walk->signal = signal;
    walk->want_ids = want_ids && signal == SW_LG_TRACES;
    walk->end[0] = size;
}

bool sw_lg_walk_complete(const struct sw_lg_walk *walk)
{
    return !walk->bad && walk->depth == 0 && walk->skip == 0 && walk->shift == 0
           && walk->part == SW_LG_WALK_KEY
           && (walk->end[0] == UINT64_MAX || walk->pos == walk->end[0]);
}

static void end_messages(struct sw_lg_walk *walk)
{
    while (walk->depth && walk->pos == walk->end[walk->depth]) {
        if (walk->depth == 3 && walk->want_ids) {
            sw_lg_bytes_put(&walk->ids, &walk->current, sizeof(walk->current));
        }
        walk->depth--;
    }
}

// Depth of the messages whose fields are items.
static const unsigned item_depth[3] = {[SW_LG_TRACES] = 2, [SW_LG_METRICS] = 4, [SW_LG_LOGS] = 2};

// Whether a field carries the next level: resource_spans 1, scope_spans 2, spans 2, and their like;
// in a metric the data of its kind (gauge 5, sum 7, histograms 9 and 10, summary 11), then points 1.
static bool is_inner(const struct sw_lg_walk *walk)
{
    switch (walk->depth) {
    case 0:
    case 4:
        return walk->field == 1;
    case 3:
        return walk->field == 5 || walk->field == 7 || (walk->field >= 9 && walk->field <= 11);
    default:
        return walk->field == 2;
    }
}

static void on_length(struct sw_lg_walk *walk, uint64_t len)
{
    walk->part = SW_LG_WALK_KEY;
    if (len > walk->end[walk->depth] - walk->pos) {
        walk->bad = true;
        return;
    }
    if (walk->depth <= item_depth[walk->signal] && is_inner(walk)) {
        bool item = walk->depth == item_depth[walk->signal];
        walk->spans += item;
        if (item && !walk->want_ids) {
            walk->skip = len;
            return;
        }
        walk->depth++;
        walk->end[walk->depth] = walk->pos + len;
        if (item) {
            memset(&walk->current, 0, sizeof(walk->current));
            walk->ids_seen = 0;
        }
        return;
    }
    if (walk->want_ids && walk->depth == 3
        && ((walk->field == 1 && len == 16) || (walk->field == 2 && len == 8))) {
        walk->part = SW_LG_WALK_ID;
        walk->id_left = (unsigned)len;
        walk->ids_seen |= walk->field;
        walk->id_at = walk->field == 1 ? walk->current.trace_id : (uint8_t *)&walk->current.span_id;
        return;
    }
    walk->skip = len;
}

static void on_key(struct sw_lg_walk *walk, uint64_t key)
{
    walk->field = (uint32_t)(key >> 3);
    switch (key & 7) {
    case 0:
        walk->part = SW_LG_WALK_VARINT;
        break;
    case 1:
        walk->skip = 8;
        break;
    case 2:
        walk->part = SW_LG_WALK_LENGTH;
        break;
    case 5:
        walk->skip = 4;
        break;
    default:
        walk->bad = true;
        break;
    }
    if (walk->field == 0 || walk->skip > walk->end[walk->depth] - walk->pos) {
        walk->bad = true;
    }
}

static void on_byte(struct sw_lg_walk *walk, uint8_t byte)
{
    walk->pos++;
    walk->number |= (uint64_t)(byte & 0x7f) << walk->shift;
    if (byte & 0x80) {
        walk->shift += 7;
        walk->bad = walk->shift > 63;
        return;
    }
    uint64_t number = walk->number;
    walk->number = 0;
    walk->shift = 0;
    if (walk->part == SW_LG_WALK_KEY) {
        on_key(walk, number);
    } else if (walk->part == SW_LG_WALK_LENGTH) {
        on_length(walk, number);
    } else {
        walk->part = SW_LG_WALK_KEY;
    }
}

void sw_lg_walk_feed(struct sw_lg_walk *walk, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    while (data < end && !walk->bad) {
        size_t left = (size_t)(end - data);
        if (walk->skip) {
            size_t part = walk->skip < left ? (size_t)walk->skip : left;
            walk->skip -= part;
            walk->pos += part;
            data += part;
        } else if (walk->part == SW_LG_WALK_ID) {
            size_t part = walk->id_left < left ? walk->id_left : left;
            memcpy(walk->id_at, data, part);
            walk->id_at += part;
            walk->id_left -= (unsigned)part;
            walk->pos += part;
            data += part;
            if (walk->id_left == 0) {
                walk->part = SW_LG_WALK_KEY;
                // Both are known: what follows in this span is of no interest.
                walk->skip = walk->ids_seen == 3 ? walk->end[3] - walk->pos : 0;
            }
        } else if (walk->pos == walk->end[walk->depth]) {
            walk->bad = true; // a field crosses the end of its message, or bytes follow the last
        } else {
            on_byte(walk, *data++);
        }
        if (!walk->skip && walk->part == SW_LG_WALK_KEY && !walk->shift) {
            end_messages(walk);
        }
    }
}
