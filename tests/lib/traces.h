/* Requests made span by span, and looked at span by span. */
#ifndef SW_TESTS_LIB_TRACES_H
#define SW_TESTS_LIB_TRACES_H

#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/** Bytes that grow. */
struct traces_bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

static inline uint8_t *traces_room(struct traces_bytes *bytes, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    bytes->size += size;
    return bytes->data + bytes->size - size;
}

static inline void
traces_put_len(struct traces_bytes *to, uint32_t tag, const void *data, size_t size)
{
    struct sw_bytes bytes = {data, size};
    sw_pb_put_bytes(traces_room(to, sw_pb_len_size(tag, size)), tag, bytes);
}

static inline void traces_put_i64(struct traces_bytes *to, uint32_t tag, uint64_t value)
{
    sw_pb_put_i64(traces_room(to, sw_pb_varint_size(tag) + 8), tag, value);
}

/** One span; what is 0 is left out. */
struct traces_span {
    uint64_t trace; /**< right half of the ID; the left one is made of it unless `left` is given */
    uint64_t left;
    uint64_t span; /**< 0: some ID */
    uint64_t parent;
    uint64_t start_ns;
    uint64_t end_ns;
    int status;   /**< enum sw_span_status */
    uint32_t pad; /**< bytes of an attribute that fills it up */
};

static inline void traces_id(uint8_t id[16], uint64_t trace, uint64_t left)
{
    left = left != 0 ? left : trace * 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < 8; i++) {
        id[i] = (uint8_t)(left >> (56 - 8 * i));
        id[8 + i] = (uint8_t)(trace >> (56 - 8 * i));
    }
}

/** A request that is being made. */
struct traces {
    struct traces_bytes request;
    struct traces_bytes resource;
    struct traces_bytes scope;
    uint32_t spans_count;
    bool in_resource;
    bool in_scope;
};

static inline void traces_end_scope(struct traces *traces)
{
    if (traces->in_scope) {
        traces_put_len(
            &traces->resource, SW_OTLP_TAG_SCOPES, traces->scope.data, traces->scope.size
        );
        traces->scope.size = 0;
        traces->in_scope = false;
    }
}

static inline void traces_end_resource(struct traces *traces)
{
    traces_end_scope(traces);
    if (traces->in_resource) {
        traces_put_len(
            &traces->request, SW_OTLP_TAG_RESOURCES, traces->resource.data, traces->resource.size
        );
        traces->resource.size = 0;
        traces->in_resource = false;
    }
}

/** An attribute "service.name". */
static inline void traces_resource(struct traces *traces, const char *service)
{
    traces_end_resource(traces);
    traces->in_resource = true;
    struct traces_bytes value = {0};
    struct traces_bytes pair = {0};
    struct traces_bytes resource = {0};
    traces_put_len(&value, SW_PB_TAG(1, SW_PB_LEN), service, strlen(service));
    traces_put_len(&pair, SW_PB_TAG(1, SW_PB_LEN), "service.name", 12);
    traces_put_len(&pair, SW_PB_TAG(2, SW_PB_LEN), value.data, value.size);
    traces_put_len(&resource, SW_PB_TAG(1, SW_PB_LEN), pair.data, pair.size);
    traces_put_len(&traces->resource, SW_OTLP_TAG_RESOURCE, resource.data, resource.size);
    free(value.data);
    free(pair.data);
    free(resource.data);
}

static inline void traces_scope(struct traces *traces, const char *name)
{
    traces_end_scope(traces);
    traces->in_scope = true;
    struct traces_bytes scope = {0};
    traces_put_len(&scope, SW_PB_TAG(1, SW_PB_LEN), name, strlen(name));
    traces_put_len(&traces->scope, SW_OTLP_TAG_SCOPE, scope.data, scope.size);
    free(scope.data);
}

static inline void traces_u64(uint8_t out[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static inline void traces_put_span(struct traces_bytes *to, const struct traces_span *spec)
{
    struct traces_bytes span = {0};
    uint8_t id[16];
    traces_id(id, spec->trace, spec->left);
    traces_put_len(&span, SW_PB_TAG(1, SW_PB_LEN), id, 16);
    traces_u64(id, spec->span != 0 ? spec->span : 1);
    traces_put_len(&span, SW_PB_TAG(2, SW_PB_LEN), id, 8);
    if (spec->parent != 0) {
        traces_u64(id, spec->parent);
        traces_put_len(&span, SW_PB_TAG(4, SW_PB_LEN), id, 8);
    }
    if (spec->start_ns != 0) {
        traces_put_i64(&span, SW_PB_TAG(7, SW_PB_I64), spec->start_ns);
    }
    if (spec->end_ns != 0) {
        traces_put_i64(&span, SW_PB_TAG(8, SW_PB_I64), spec->end_ns);
    }
    if (spec->status != 0) {
        uint8_t status[2] = {0x18, (uint8_t)spec->status};
        traces_put_len(&span, SW_PB_TAG(15, SW_PB_LEN), status, 2);
    }
    if (spec->pad != 0) {
        uint8_t *pad = malloc(spec->pad);
        assert_non_null(pad);
        memset(pad, 'p', spec->pad);
        traces_put_len(&span, SW_PB_TAG(5, SW_PB_LEN), pad, spec->pad);
        free(pad);
    }
    traces_put_len(to, SW_OTLP_TAG_ITEMS, span.data, span.size);
    free(span.data);
}

/** Into the scope that was begun last; begins a plain one when there is none. */
static inline void traces_add(struct traces *traces, struct traces_span spec)
{
    if (!traces->in_resource) {
        traces_resource(traces, "service");
    }
    if (!traces->in_scope) {
        traces_scope(traces, "scope");
    }
    traces_put_span(&traces->scope, &spec);
    traces->spans_count++;
}

/** The request as a batch of one piece; the maker is empty again. */
static inline struct sw_batch *traces_batch(struct traces *traces, struct sw_account *account)
{
    traces_end_resource(traces);
    struct sw_buf *buf = sw_buf_copy(account, traces->request.data, (uint32_t)traces->request.size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_non_null(buf);
    assert_non_null(batch);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, traces->spans_count), 0);
    sw_buf_unref(buf);
    free(traces->request.data);
    free(traces->resource.data);
    free(traces->scope.data);
    memset(traces, 0, sizeof(*traces));
    return batch;
}

/** Each span of encoded bytes. resource and scope: the messages. */
typedef void traces_visit_fn(
    void *context,
    struct sw_bytes resource,
    struct sw_bytes scope,
    const struct sw_span_view *view
);

static inline uint32_t traces_each(struct sw_bytes request, traces_visit_fn *visit, void *context)
{
    uint32_t count = 0;
    struct sw_otlp_iter resources;
    struct sw_otlp_iter scopes;
    struct sw_otlp_iter spans;
    struct sw_pb_field resource;
    struct sw_pb_field scope;
    struct sw_pb_field span;
    sw_otlp_resources_init(&resources, request);
    while (sw_otlp_next(&resources, &resource)) {
        struct sw_envelope around = {0};
        sw_envelope_add(&around, resource.bytes);
        sw_otlp_scopes_init(&scopes, resource.bytes);
        while (sw_otlp_next(&scopes, &scope)) {
            struct sw_envelope inner = {0};
            sw_envelope_add(&inner, scope.bytes);
            sw_otlp_items_init(&spans, scope.bytes);
            while (sw_otlp_next(&spans, &span)) {
                struct sw_span_view view;
                assert_true(sw_span_view_fill(&view, span.bytes));
                count++;
                if (visit != NULL) {
                    visit(context, around.head, inner.head, &view);
                }
            }
        }
    }
    return count;
}

/** The number that traces_span.trace was. */
static inline uint64_t traces_number(const uint8_t trace_id[16])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++) {
        number = number << 8 | trace_id[8 + i];
    }
    return number;
}

static inline uint64_t traces_span_number(const uint8_t span_id[8])
{
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++) {
        number = number << 8 | span_id[i];
    }
    return number;
}

#endif
