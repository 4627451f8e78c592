/* The YAML reader on any bytes: what becomes a tree keeps its limits, and has a place everywhere. */
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
    uint64_t nodes;
};

static uint32_t walk(const struct sw_node *node, struct count *count)
{
    uint32_t below = 0;
    SW_ASSERT(++count->nodes <= SW_NODE_WEIGHT_MAX);
    SW_ASSERT(node->mark.line > 0 && node->mark.column > 0);
    SW_ASSERT(strcmp(node->mark.source, "input") == 0);
    size_t items_count = node->kind == SW_NODE_LIST ? node->items_count : 0;
    for (size_t i = 0; i < items_count; i++) {
        uint32_t height = walk(node->items[i], count);
        below = SW_MAX(below, height);
    }
    size_t entries_count = node->kind == SW_NODE_MAP ? node->entries_count : 0;
    for (size_t i = 0; i < entries_count; i++) {
        SW_ASSERT(node->entries[i].key != NULL && node->entries[i].mark.line > 0);
        uint32_t height = walk(node->entries[i].value, count);
        below = SW_MAX(below, height);
    }
    SW_ASSERT(below < node->height && node->height <= SW_NODE_HEIGHT_MAX);
    return below + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_arena arena = {0};
    struct sw_yaml_problem problem = {0};
    struct sw_node *node = NULL;
    int err = sw_yaml_parse(&arena, "input", (const char *)data, size, &node, &problem);
    SW_ASSERT(err == SW_OK || err == SW_E_MALFORMED);
    if (err == SW_OK) {
        struct count count = {0};
        walk(node, &count);
    } else {
        SW_ASSERT(node == NULL && problem.text[0] != '\0');
    }
    sw_arena_fini(&arena);
    return 0;
}
