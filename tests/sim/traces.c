// What is sent, and what came of it: each span is known by its ID and its bytes, each resource by its service.
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/span.h"
#include "dataplane/otlp/validate.h"
#include "tests/sim/sim.h"

#include <stdio.h>

#define SLOW_NS         (800 * SW_NS_PER_MS) // the policy's threshold is 500 ms
#define DURATION_NS_MAX (200 * SW_NS_PER_MS)

static uint32_t hash_of(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 16777619u;
    }
    return hash;
}

static uint64_t rnd(struct sim *sim, uint64_t below)
{
    return sw_rand_below(&sim->rand, below);
}

static void put_span_id(uint8_t id[8], uint64_t ref)
{
    ref += 1; // all zero is no ID
    for (unsigned i = 0; i < 8; i++) {
        id[i] = (uint8_t)(ref >> (56 - 8 * i));
    }
}

static uint64_t get_span_ref(const uint8_t *id)
{
    uint64_t ref = 0;
    for (unsigned i = 0; i < 8; i++) {
        ref = ref << 8 | id[i];
    }
    return ref - 1;
}

static const char *service_of(uint64_t ref, char text[32])
{
    snprintf(
        text, 32, "service-%u", (unsigned)((ref >> 32) * 7 + (ref & 0xffffffff)) % SIM_SERVICES
    );
    return text;
}

/* ---- making ---- */

static void make_trace(struct sim *sim, struct sim_trace *trace, unsigned spans_max)
{
    for (unsigned i = 0; i < sizeof(trace->id); i++) {
        trace->id[i] = (uint8_t)sw_rand_u64(&sim->rand);
    }
    trace->spans_count = 1 + (unsigned)rnd(sim, spans_max);
    trace->error = rnd(sim, 4) == 0;
    trace->slow = rnd(sim, 4) == 0;
}

// The content of a span; its hash is what must arrive. Which span of a trace makes it an error or slow
// is the first.
static void put_span(struct sim *sim, struct wire *wire, uint64_t ref)
{
    struct sim_trace *trace = &sim->traces.items[ref >> 32];
    unsigned index = (unsigned)(ref & 0xffffffff);
    uint8_t id[8];
    uint64_t start_ns = SIM_WALL_NS + rnd(sim, DURATION_NS_MAX);
    put_span_id(id, ref);
    wire_begin(wire, 2);
    size_t begun = wire->size;
    wire_bytes(wire, 1, trace->id, 16);
    wire_bytes(wire, 2, id, 8);
    if (index > 0) {
        put_span_id(id, ref - 1);
        wire_bytes(wire, 4, id, 8);
    }
    wire_text(wire, 5, "operation");
    wire_number(wire, 6, 1 + rnd(sim, 5));
    wire_i64(wire, 7, start_ns);
    wire_i64(wire, 8, start_ns + (trace->slow && index == 0 ? SLOW_NS : rnd(sim, DURATION_NS_MAX)));
    uint64_t pads_count = rnd(sim, 10) > 0 ? rnd(sim, 4) : 20;
    for (; pads_count > 0; pads_count--) {
        wire_begin(wire, 9);
        wire_text(wire, 1, "padding");
        wire_begin(wire, 2);
        wire_random_bytes(wire, 7, &sim->rand, rnd(sim, 300));
        wire_end(wire);
        wire_end(wire);
    }
    if (trace->error && index == 0) {
        wire_begin(wire, 15);
        wire_number(wire, 3, 2);
        wire_end(wire);
    }
    trace->spans[index].hash = hash_of(wire->data + begun, wire->size - begun);
    wire_end(wire);
}

// A ResourceSpans for each service that some span of the request has.
static void put_request(struct sim *sim, struct wire *wire, const struct sim_request *request)
{
    char service[32];
    char other[32];
    for (unsigned i = 0; i < SIM_SERVICES; i++) {
        snprintf(service, sizeof(service), "service-%u", i);
        bool begun = false;
        for (unsigned k = 0; k < request->refs_count; k++) {
            if (strcmp(service_of(request->refs[k], other), service) != 0) {
                continue;
            }
            if (!begun) {
                begun = true;
                wire_begin(wire, 1);
                wire_begin(wire, 1);
                wire_attribute(wire, 1, "service.name", service);
                wire_end(wire);
                wire_begin(wire, 2);
                wire_begin(wire, 1);
                wire_text(wire, 1, "scope");
                wire_end(wire);
            }
            put_span(sim, wire, request->refs[k]);
        }
        if (begun) {
            wire_end(wire);
            wire_end(wire);
        }
    }
    if (request->poison) { // a span whose trace ID is of 15 bytes
        wire_begin(wire, 1);
        wire_begin(wire, 2);
        wire_begin(wire, 2);
        wire_bytes(wire, 1, "fifteen bytes !", 15);
        wire_end(wire);
        wire_end(wire);
        wire_end(wire);
    }
}

static void add_request(
    struct sim *sim,
    struct sim_requests *requests,
    const uint64_t *refs,
    unsigned refs_count,
    bool poison
)
{
    struct sim_request *request = calloc(1, sizeof(*request));
    request->refs = malloc((refs_count + 1) * sizeof(*refs));
    memcpy(request->refs, refs, refs_count * sizeof(*refs));
    request->refs_count = refs_count;
    request->poison = poison;
    request->at_ns = sim->now_ns + rnd(sim, sim->plan->send_ns);
    struct wire wire = {.data = NULL};
    wire_clear(&wire);
    put_request(sim, &wire, request);
    request->body = sw_buf_copy(NULL, wire.data, (uint32_t)wire.size);
    SIM_CHECK(sim, request->body != NULL, "no memory");
    wire_fini(&wire);
    STAILQ_INSERT_TAIL(requests, request, next);
}

void sim_traces_make(struct sim *sim, struct sim_requests *requests)
{
    const struct sim_plan *plan = sim->plan;
    struct sim_traces *traces = &sim->traces;
    traces->count = plan->traces_count + plan->poison_count;
    traces->items = calloc(traces->count, sizeof(*traces->items));
    uint64_t *refs = calloc(plan->traces_count * plan->spans_max, sizeof(*refs));
    unsigned refs_count = 0;
    for (unsigned i = 0; i < plan->traces_count; i++) {
        make_trace(sim, &traces->items[i], plan->spans_max);
        for (unsigned k = 0; k < traces->items[i].spans_count; k++) {
            unsigned at = (unsigned)rnd(sim, refs_count + 1);
            refs[refs_count++] = refs[at];
            refs[at] = (uint64_t)i << 32 | k;
        }
    }
    for (unsigned at = 0; at < refs_count;) {
        unsigned count = 1 + (unsigned)rnd(sim, plan->refs_max);
        count = SW_MIN(count, refs_count - at);
        add_request(sim, requests, refs + at, count, false);
        at += count;
    }
    free(refs);
    for (unsigned i = plan->traces_count; i < traces->count; i++) {
        struct sim_trace *trace = &traces->items[i];
        uint64_t whole[SIM_SPANS_MAX];
        make_trace(sim, trace, plan->spans_max);
        trace->poisoned = true;
        for (unsigned k = 0; k < trace->spans_count; k++) {
            whole[k] = (uint64_t)i << 32 | k;
        }
        add_request(sim, requests, whole, trace->spans_count, true);
    }
}

void sim_traces_free(struct sim *sim)
{
    free(sim->traces.items);
    sim->traces.items = NULL;
}

/* ---- arriving ---- */

static void arrive(struct sim *sim, struct sw_bytes service, struct sw_bytes span, bool take)
{
    char wanted[32];
    struct sw_span_view view;
    SIM_CHECK(sim, sw_span_view_fill(&view, span), "a span that cannot be read");
    uint64_t ref = get_span_ref(view.span_id);
    SIM_CHECK(sim, ref >> 32 < sim->traces.count, "an unknown span arrived");
    struct sim_trace *trace = &sim->traces.items[ref >> 32];
    unsigned index = (unsigned)(ref & 0xffffffff);
    SIM_CHECK(sim, index < trace->spans_count, "an unknown span arrived");
    struct sim_span *seen = &trace->spans[index];
    SIM_CHECK(sim, memcmp(view.trace_id, trace->id, 16) == 0, "a span of another trace");
    SIM_CHECK(sim, hash_of(span.data, span.size) == seen->hash, "a span has changed");
    service_of(ref, wanted);
    bool same = service.size == strlen(wanted) && memcmp(service.data, wanted, service.size) == 0;
    SIM_CHECK(
        sim, same, "span %u of trace %u under a foreign resource", index, (unsigned)(ref >> 32)
    );
    sim_note(sim, ref);
    if (take) {
        seen->arrived++;
        sim->traces.arrived_spans++;
    } else {
        seen->abandoned = true;
        sim->traces.abandoned_spans++;
    }
}

static struct sw_bytes service_in(struct sim *sim, struct sw_bytes resource_spans)
{
    struct sw_envelope envelope = {0};
    struct sw_any value = {.type = SW_ANY_EMPTY};
    sw_envelope_add(&envelope, resource_spans);
    SIM_CHECK(
        sim, envelope.head_fragments == 1, "a resource in %u pieces", envelope.head_fragments
    );
    bool found =
        sw_attribute_find(envelope.head, SW_RESOURCE_ATTRIBUTES, SW_BYTES("service.name"), &value);
    SIM_CHECK(sim, found && value.type == SW_ANY_STRING, "a resource without its service");
    return value.bytes;
}

void sim_traces_arrive(struct sim *sim, const uint8_t *data, size_t size, bool take)
{
    struct sw_otlp_counts counts;
    struct sw_otlp_fault fault;
    int err = sw_otlp_validate(SW_TRACES, data, size, &counts, &fault);
    SIM_CHECK(sim, err == SW_OK, "bytes that a backend would refuse: %s", fault.text);
    struct sw_otlp_iter resources, scopes, spans;
    struct sw_pb_field resource_spans, scope_spans, span;
    sw_otlp_resources_init(&resources, (struct sw_bytes){data, size});
    while (sw_otlp_next(&resources, &resource_spans)) {
        struct sw_bytes service = service_in(sim, resource_spans.bytes);
        sw_otlp_scopes_init(&scopes, resource_spans.bytes);
        while (sw_otlp_next(&scopes, &scope_spans)) {
            sw_otlp_items_init(&spans, scope_spans.bytes);
            while (sw_otlp_next(&spans, &span)) {
                arrive(sim, service, span.bytes, take);
            }
        }
    }
}

/* ---- the end ---- */

static void check_trace(struct sim *sim, unsigned index)
{
    const struct sim_plan *plan = sim->plan;
    const struct sim_trace *trace = &sim->traces.items[index];
    unsigned arrived = 0;
    unsigned expected = 0;
    for (unsigned i = 0; i < trace->spans_count; i++) {
        const struct sim_span *span = &trace->spans[i];
        if (trace->poisoned) {
            SIM_CHECK(sim, span->refused && !span->acked, "poison in trace %u was taken", index);
            SIM_CHECK(sim, span->arrived == 0, "what was refused has arrived: trace %u", index);
            continue;
        }
        SIM_CHECK(sim, span->acked, "span %u of trace %u was never taken", i, index);
        arrived += span->arrived > 0;
        expected += span->arrived > 0 || !span->abandoned;
    }
    if (trace->poisoned) {
        return;
    }
    bool due = trace->error || trace->slow || plan->sampling_percent == 100;
    bool none = arrived == 0;
    // What a backend refused for good is excused, and nothing else.
    SIM_CHECK(
        sim,
        none || arrived == expected,
        "trace %u arrived in part: %u of %u",
        index,
        arrived,
        trace->spans_count
    );
    if (due && plan->due_whole && !sim->late) {
        SIM_CHECK(
            sim,
            arrived == expected,
            "trace %u (%s%s) is lost",
            index,
            trace->error ? "error" : "",
            trace->slow ? "slow" : ""
        );
    }
    if (!trace->error && !trace->slow && plan->sampling_percent == 0) {
        SIM_CHECK(sim, none, "trace %u should not have been kept", index);
    }
}

void sim_traces_check(struct sim *sim)
{
    for (unsigned i = 0; i < sim->traces.count; i++) {
        check_trace(sim, i);
    }
}
