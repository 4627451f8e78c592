/* Gate recordpolicy: kept spans say in their scope which policy wanted them (reference: 4.4). The
 * attributes are made once, for each policy twice, with and without "cached". */
#include "dataplane/base/mem.h"
#include "sampling/verdict/verdict_internal.h"

#define TAG_ATTRIBUTES SW_PB_TAG(3, SW_PB_LEN) // of InstrumentationScope
#define TAG_KEY        SW_PB_TAG(1, SW_PB_LEN)
#define TAG_VALUE      SW_PB_TAG(2, SW_PB_LEN)
#define TAG_STRING     SW_PB_TAG(1, SW_PB_LEN) // of AnyValue

struct mark {
    uint8_t *data;
    uint32_t policy_size; // the policy alone
    uint32_t size;        // and that it was cached
};

struct tail_marks {
    unsigned count;
    struct mark marks[];
};

#define POLICY_KEY SW_BYTES("tailsampling.policy")
// key tailsampling.cached_decision, value true
#define CACHED SW_BYTES("\x1a\x22\x0a\x1ctailsampling.cached_decision\x12\x02\x10\x01")

static int make_mark(struct mark *mark, const char *name)
{
    struct sw_bytes text = {(const uint8_t *)name, strlen(name)};
    size_t value_size = sw_pb_len_size(TAG_STRING, text.size);
    size_t pair_size =
        sw_pb_len_size(TAG_KEY, POLICY_KEY.size) + sw_pb_len_size(TAG_VALUE, value_size);
    size_t size = sw_pb_len_size(TAG_ATTRIBUTES, pair_size);
    mark->data = sw_alloc(size + CACHED.size);
    if (mark->data == NULL) {
        return SW_E_NOMEM;
    }
    uint8_t *out = sw_pb_put_head(mark->data, TAG_ATTRIBUTES, pair_size);
    out = sw_pb_put_bytes(out, TAG_KEY, POLICY_KEY);
    out = sw_pb_put_head(out, TAG_VALUE, value_size);
    out = sw_pb_put_bytes(out, TAG_STRING, text);
    memcpy(out, CACHED.data, CACHED.size);
    mark->policy_size = (uint32_t)size;
    mark->size = (uint32_t)(size + CACHED.size);
    return SW_OK;
}

int sw_tail_marks_new(const struct sw_policy_set *policies, struct tail_marks **ret_marks)
{
    unsigned count = sw_policy_set_count(policies);
    struct tail_marks *marks = sw_zalloc(sizeof(*marks) + count * sizeof(marks->marks[0]));
    if (marks == NULL) {
        return SW_E_NOMEM;
    }
    marks->count = count;
    for (unsigned i = 0; i < count; i++) {
        if (make_mark(&marks->marks[i], sw_policy_name(policies, i)) != SW_OK) {
            sw_tail_marks_free(marks);
            return SW_E_NOMEM;
        }
    }
    *ret_marks = marks;
    return SW_OK;
}

void sw_tail_marks_free(struct tail_marks *marks)
{
    for (unsigned i = 0; marks != NULL && i < marks->count; i++) {
        sw_free(marks->marks[i].data);
    }
    sw_free(marks);
}

struct sw_bytes sw_tail_mark(const struct tail_marks *marks, uint16_t policy, bool cached)
{
    if (marks == NULL || policy == 0) {
        return (struct sw_bytes){NULL, 0};
    }
    SW_ASSERT(policy <= marks->count);
    const struct mark *mark = &marks->marks[policy - 1];
    return (struct sw_bytes){mark->data, cached ? mark->size : mark->policy_size};
}
