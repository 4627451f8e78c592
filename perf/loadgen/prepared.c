#include "perf/loadgen/prepared.h"

#include "perf/loadgen/json.h"
#include "perf/loadgen/payload.h"

#include <stdlib.h>

// Whole traces, with numbers of their own in every request.
static void put_spans(
    struct sw_lg_bytes *out,
    const struct sw_lg_prepared_options *options,
    uint32_t items,
    uint32_t number
)
{
    struct sw_lg_template template;
    uint64_t *spans = sw_lg_alloc(items, sizeof(*spans));
    uint32_t per_trace = options->shape->spans_per_trace;
    uint64_t first = (uint64_t)number * (items / per_trace + 1);
    for (uint32_t i = 0; i < items; i++) {
        spans[i] = SW_LG_SPAN(first + i / per_trace, (uint64_t)(i % per_trace));
    }
    sw_lg_template_init(&template, options->form, items);
    sw_lg_template_fill(&template, options->shape, options->epoch_ns, spans);
    sw_lg_bytes_put(out, template.data + SW_LG_GRPC_PREFIX, template.size - SW_LG_GRPC_PREFIX);
    sw_lg_template_fini(&template);
    free(spans);
}

static void
build(struct sw_lg_prepared *prepared, uint32_t items, uint32_t number, struct sw_lg_bytes *out)
{
    static const uint8_t prefix[SW_LG_GRPC_PREFIX];
    const struct sw_lg_prepared_options *options = &prepared->options;
    struct sw_lg_bytes plain = {0};
    struct sw_lg_bytes json = {0};
    switch (options->signal) {
    case SW_LG_TRACES:
        put_spans(&plain, options, items, number);
        break;
    case SW_LG_METRICS:
        sw_lg_payload_metrics(&plain, options->form, items, options->epoch_ns, number);
        break;
    case SW_LG_LOGS:
        sw_lg_payload_logs(&plain, options->form, items, options->epoch_ns, number);
        break;
    }
    if (options->json) {
        sw_lg_json_put(&json, options->signal, plain.data, plain.len);
    }
    const struct sw_lg_bytes *body = options->json ? &json : &plain;
    out->len = 0;
    sw_lg_bytes_put(out, prefix, sizeof(prefix));
    sw_lg_pack(prepared->packer, body->data, body->len, out);
    sw_lg_set_grpc_prefix(out->data, out->len, prepared->packer->codec != SW_LG_PLAIN);
    sw_lg_bytes_free(&plain);
    sw_lg_bytes_free(&json);
}

void sw_lg_prepared_init(
    struct sw_lg_prepared *prepared,
    const struct sw_lg_prepared_options *options,
    struct sw_lg_packer *packer,
    unsigned count,
    uint32_t items
)
{
    *prepared = (struct sw_lg_prepared){
        .options = *options,
        .packer = packer,
        .items = items,
        .requests = sw_lg_alloc(count, sizeof(*prepared->requests)),
        .count = count,
    };
    for (unsigned i = 0; i < count; i++) {
        build(prepared, items, i, &prepared->requests[i]);
    }
}

void sw_lg_prepared_fini(struct sw_lg_prepared *prepared)
{
    for (unsigned i = 0; i < prepared->count; i++) {
        sw_lg_bytes_free(&prepared->requests[i]);
    }
    free(prepared->requests);
    *prepared = (struct sw_lg_prepared){0};
}

const struct sw_lg_bytes *
sw_lg_prepared_take(struct sw_lg_prepared *prepared, uint32_t items, struct sw_lg_bytes *spare)
{
    if (items != prepared->items) {
        build(prepared, items, prepared->count, spare);
        return spare;
    }
    prepared->turn = (prepared->turn + 1) % prepared->count;
    return &prepared->requests[prepared->turn];
}
