#include "perf/loadgen/json.h"

#include <string.h>

#define DEPTH_MAX 64

// Brackets up to an item: those of the request, three lists and their elements; a data point has
// the metric's kind and one more list around it.
struct place {
    const char *list;
    unsigned depth;
};
static const struct place places[3] = {
    [SW_LG_TRACES] = {"\"spans\"", 7},
    [SW_LG_METRICS] = {"\"dataPoints\"", 10},
    [SW_LG_LOGS] = {"\"logRecords\"", 7},
};

struct text {
    const uint8_t *data;
    size_t len;
};

// Returns the end of a string that starts at `at`, NULL when it has none.
static const uint8_t *end_of_string(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            return at + 1;
        }
    }
    return NULL;
}

static bool is_item(const struct place *place, unsigned depth, const struct text *key)
{
    return depth == place->depth && key->len == strlen(place->list)
           && !memcmp(key->data, place->list, key->len);
}

bool sw_lg_json_count(
    enum sw_lg_signal signal,
    const uint8_t *data,
    size_t len,
    uint64_t *ret_items
)
{
    const struct place *place = &places[signal];
    const uint8_t *end = data + len;
    char open[DEPTH_MAX];
    struct text keys[DEPTH_MAX + 1] = {{0}}; // the string before each bracket, by depth
    struct text last = {0};
    unsigned depth = 0;
    uint64_t items = 0;
    while (data < end) {
        char byte = (char)*data;
        if (byte == '"') {
            const uint8_t *behind = end_of_string(data, end);
            if (!behind) {
                return false;
            }
            last = (struct text){data, (size_t)(behind - data)};
            data = behind;
            continue;
        }
        if (byte == '{' || byte == '[') {
            if (depth == DEPTH_MAX) {
                return false;
            }
            open[depth++] = byte;
            keys[depth] = last;
            // An element's own list is the bracket around it.
            items += byte == '{' && is_item(place, depth, &keys[depth - 1]);
        } else if (byte == '}' || byte == ']') {
            if (depth == 0 || open[--depth] != (byte == '}' ? '{' : '[')) {
                return false;
            }
        }
        data++;
    }
    *ret_items = items;
    return len && depth == 0;
}
