/* What tail sampling costs a span: sw-micro-tail-sampling [rounds [directory of a window]]
 *
 * One core in virtual time. Traces of 12 spans of about 800 bytes arrive in requests of 200 spans,
 * four services apart, as SDKs send them: runs of one to three spans of a trace, mixed with those
 * of others. They wait ten seconds, three policies vote (errors, slow ones, a tenth by hash), and
 * the kept ones go to a stage that drops them. CPU time is measured. Arrival is from admit to the
 * settled ticket, decision from the tick to the last batch; each line is the median of the rounds
 * after the first decisions. With a directory also with a window there, which survives kill -9. */
#include "sampling/verdict/tail_sampling.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/component.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACES_COUNT   2000u // a second
#define TRACE_SPANS    12u
#define SPANS_COUNT    (TRACES_COUNT * TRACE_SPANS)
#define REQUEST_SPANS  200u
#define REQUESTS_COUNT (SPANS_COUNT / REQUEST_SPANS)
#define SPAN_PAD       640u
#define WAIT_S         10
#define ROUNDS_MAX     200

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- the end of the pipeline ---- */

static uint64_t kept_count;

static int end_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return SW_OK;
}

static void end_retract(struct sw_stage *stage, const struct sw_batch *batch) {}

static void end_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    kept_count += batch->items_count;
    sw_batch_free(batch);
    sw_ticket_settle_err(ticket, SW_OK);
}

static void end_drop(struct sw_stage *stage, const struct sw_batch *batch, int err) {}

static const struct sw_stage_ops end_ops = {
    .admit = end_admit,
    .retract = end_retract,
    .consume = end_consume,
    .drop = end_drop,
};

/* ---- traffic ---- */

struct bytes {
    uint8_t data[1 << 19];
    size_t size;
};

static void put(struct bytes *to, uint32_t tag, const void *data, size_t size)
{
    struct sw_bytes bytes = {data, size};
    to->size = (size_t)(sw_pb_put_bytes(to->data + to->size, tag, bytes) - to->data);
}

static void put_i64(struct bytes *to, uint32_t tag, uint64_t value)
{
    to->size = (size_t)(sw_pb_put_i64(to->data + to->size, tag, value) - to->data);
}

#define LEN(field) SW_PB_TAG(field, SW_PB_LEN)

static void put_attribute(struct bytes *to, unsigned field, unsigned key, size_t size)
{
    static struct bytes value;
    static struct bytes pair;
    uint8_t text[64];
    value.size = pair.size = 0;
    memset(text, 'a' + (int)key, sizeof(text));
    put(&value, LEN(1), text, size);
    put(&pair, LEN(1), text, 12);
    put(&pair, LEN(2), value.data, value.size);
    put(to, LEN(field), pair.data, pair.size);
}

static void put_span(struct bytes *to, uint64_t trace, unsigned index)
{
    static struct bytes span;
    uint64_t id[2] = {trace * 0x9e3779b97f4a7c15u, (trace + 1) * 0xbf58476d1ce4e5b9u};
    uint64_t start_ns = 1760000000 * SW_NS_PER_S + rnd() % SW_NS_PER_S;
    span.size = 0;
    put(&span, LEN(1), id, 16);
    put(&span, LEN(2), &start_ns, 8);
    if (index > 0) {
        put(&span, LEN(4), &start_ns, 8);
    }
    put(&span, LEN(5), "GET /api/v1/items", 17);
    put_i64(&span, SW_PB_TAG(7, SW_PB_I64), start_ns);
    put_i64(&span, SW_PB_TAG(8, SW_PB_I64), start_ns + rnd() % (20 * SW_NS_PER_MS));
    for (unsigned key = 0; span.size < SPAN_PAD + rnd() % 200; key++) {
        put_attribute(&span, 9, key % 16, 10 + rnd() % 40);
    }
    static const uint8_t error[2] = {0x18, 2};
    put(&span, LEN(15), error, trace % 30 == 0 && index == 3 ? 2 : 0);
    put(to, SW_OTLP_TAG_ITEMS, span.data, span.size);
}

struct request {
    uint8_t *data;
    uint32_t size;
};

static struct request make_request(const uint64_t *traces, const uint8_t *indices)
{
    static struct bytes scope;
    static struct bytes resource;
    static struct bytes request;
    static struct bytes around;
    request.size = 0;
    for (unsigned service = 0; service < 4; service++) {
        scope.size = resource.size = around.size = 0;
        put(&scope, LEN(1), "\n\014instrumented", 14);
        for (unsigned i = 0; i < REQUEST_SPANS / 4; i++) {
            unsigned at = service * (REQUEST_SPANS / 4) + i;
            put_span(&scope, traces[at], indices[at]);
        }
        for (unsigned key = 0; key < 12; key++) {
            put_attribute(&around, 1, key + service, 24);
        }
        put(&resource, LEN(1), around.data, around.size);
        put(&resource, LEN(2), scope.data, scope.size);
        put(&request, LEN(1), resource.data, resource.size);
    }
    struct request made = {malloc(request.size), (uint32_t)request.size};
    if (made.data == NULL) {
        abort();
    }
    memcpy(made.data, request.data, request.size);
    return made;
}

// As a receiver has it: the body has just been written, so that it is in the caches.
static struct sw_batch *receive(struct request *request)
{
    struct sw_buf *buf = sw_buf_copy(NULL, request->data, request->size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    if (buf == NULL || batch == NULL
        || sw_batch_add_raw(batch, buf, buf->data, buf->size, REQUEST_SPANS) != SW_OK) {
        abort();
    }
    sw_buf_unref(buf);
    free(request->data);
    return batch;
}

// A second of spans: pieces of one to three spans, dealt a little out of order.
static void make_second(uint64_t first_trace, struct request *requests)
{
    static uint64_t traces[SPANS_COUNT];
    static uint8_t indices[SPANS_COUNT];
    static uint8_t next[TRACES_COUNT];
    memset(next, 0, sizeof(next));
    unsigned low = 0;
    for (unsigned at = 0; at < SPANS_COUNT;) {
        while (low < TRACES_COUNT && next[low] == TRACE_SPANS) {
            low++;
        }
        unsigned trace = low + (unsigned)(rnd() % 300);
        trace = trace < TRACES_COUNT && next[trace] < TRACE_SPANS ? trace : low;
        for (unsigned left = 1 + (unsigned)(rnd() % 3); left > 0 && next[trace] < TRACE_SPANS;
             left--) {
            traces[at] = first_trace + trace;
            indices[at++] = next[trace]++;
        }
    }
    for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
        requests[i] = make_request(traces + i * REQUEST_SPANS, indices + i * REQUEST_SPANS);
    }
}

/* ---- measuring ---- */

static void settled(struct sw_ticket *ticket)
{
    sw_outcome_fini(&ticket->outcome);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static struct sw_policy_conf policies[] = {
    {.name = "errors", .type = SW_POLICY_STATUS_CODE, .status_code = {.mask = 1 << 2}},
    {.name = "slow", .type = SW_POLICY_LATENCY, .latency = {.threshold_ms = 5000}},
    {.name = "some", .type = SW_POLICY_PROBABILISTIC, .probabilistic = {.sampling_percentage = 10}},
};

static void run(unsigned rounds_count, bool joins, const char *directory)
{
    static struct sw_account account;
    static struct sw_core core;
    static struct request requests[REQUESTS_COUNT];
    static double arrival[ROUNDS_MAX];
    static double decision[ROUNDS_MAX];
    const struct sw_tail_sampling_conf conf = {
        .decision_wait_ns = WAIT_S * (int64_t)SW_NS_PER_S,
        .num_traces = 50000,
        .policies = {.items = policies, .count = SW_ARRAY_SIZE(policies)},
    };
    struct sw_metrics *metrics = NULL;
    struct sw_stage end = {.ops = &end_ops, .core = &core, .id = "end"};
    struct sw_stage *stage = NULL;
    void *shared = NULL;
    char error[128] = "";
    memset(&core, 0, sizeof(core));
    core.cores_count = 1;
    core.now_ns = SW_NS_PER_S;
    core.account = &account;
    sw_rand_init(&core.rand, 1);
    if (sw_metrics_new(1, &metrics) != SW_OK) {
        abort();
    }
    struct sw_value_entry options[] = {
        {.key = "directory", .value = {.kind = SW_VALUE_STRING, .string = directory}},
    };
    struct sw_value_entry settings[] = {
        {.key = "window", .value = {.kind = SW_VALUE_MAP, .list = {options, 1}}},
    };
    const struct sw_appliance_view appliance = {
        .kind = "processor",
        .id = "tail_sampling",
        .settings = {.kind = SW_VALUE_MAP, .list = {settings, 1}},
    };
    const struct sw_stage_env env = {
        .id = "tail_sampling",
        .appliance = directory != NULL ? &appliance : NULL,
        .durable = true,
        .metrics = metrics,
        .account = &account,
        .cores_count = 1,
        .next_batches = joins,
        .error = error,
        .error_size = sizeof(error),
    };
    if (sw_tail_sampling_class.shared_new(&env, &conf, &shared) != SW_OK
        || sw_tail_sampling_class.create(&env, &conf, shared, &core, &end, &stage) != SW_OK
        || stage->ops->start(stage) != SW_OK) {
        abort();
    }
    kept_count = 0;
    for (unsigned round = 0; round < WAIT_S + 1 + rounds_count; round++) {
        make_second((uint64_t)round * TRACES_COUNT, requests);
        uint64_t arrival_ns = 0;
        for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
            struct sw_ticket ticket;
            struct sw_batch *batch = receive(&requests[i]);
            uint64_t begin_ns = sw_clock_thread_cpu_ns();
            sw_ticket_init(&ticket, settled);
            if (sw_stage_admit(stage, batch, SW_ADMIT_ALL) != SW_OK) {
                abort();
            }
            core.now_ns += SW_NS_PER_S / (REQUESTS_COUNT + 1);
            sw_stage_consume(stage, batch, &ticket);
            sw_core_run_tasks(&core);
            arrival_ns += sw_clock_thread_cpu_ns() - begin_ns;
        }
        uint64_t middle_ns = sw_clock_thread_cpu_ns();
        core.now_ns = (round + 2) * SW_NS_PER_S;
        sw_timers_run(&core.timers, core.now_ns, 1000);
        while (sw_core_run_tasks(&core) > 0) {
        }
        if (round > WAIT_S) {
            arrival[round - WAIT_S - 1] = (double)arrival_ns / SPANS_COUNT;
            decision[round - WAIT_S - 1] =
                (double)(sw_clock_thread_cpu_ns() - middle_ns) / SPANS_COUNT;
        }
    }
    printf(
        "%-28s %s arrival %6.1f ns a span, decision %5.1f, kept %4.1f %%, table %" PRId64 " MiB\n",
        joins ? "in front of a batch stage" : "one payload a trace",
        directory != NULL ? "window" : "      ",
        median(arrival, rounds_count),
        median(decision, rounds_count),
        100.0 * (double)kept_count / ((double)(rounds_count + 1) * SPANS_COUNT),
        sw_account_charged(&account) >> 20
    );
    stage->ops->free(stage);
    sw_tail_sampling_class.shared_free(shared);
    sw_metrics_free(metrics);
}

int main(int argc, char **argv)
{
    unsigned rounds_count = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
    if (rounds_count == 0 || rounds_count > ROUNDS_MAX) {
        fprintf(stderr, "1 to %d rounds\n", ROUNDS_MAX);
        return 2;
    }
    run(rounds_count, false, NULL);
    run(rounds_count, true, NULL);
    if (argc > 2) {
        run(rounds_count, false, argv[2]);
        run(rounds_count, true, argv[2]);
    }
    return 0;
}
