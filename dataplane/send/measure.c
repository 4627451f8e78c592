#include "dataplane/send/measure.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/pipeline/cells.h"

#include <stdio.h>

#define SPARE_MAX   64
#define CODES_COUNT 17

/* ---- families ---- */

static const double second_bounds[] =
    {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
// The SDK's own, which otelhttp leaves for sizes.
static const double size_bounds[] =
    {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

static const struct sw_metric_family rpc_family = {
    .name = "rpc.client.call.duration",
    .help = "Measures the duration of an outgoing Remote Procedure Call (RPC).",
    .unit = "s",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = second_bounds,
    .bounds_count = SW_ARRAY_SIZE(second_bounds),
};
static const struct sw_metric_family http_family = {
    .name = "http.client.request.duration",
    .help = "Duration of HTTP client requests.",
    .unit = "s",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = second_bounds,
    .bounds_count = SW_ARRAY_SIZE(second_bounds),
};
static const struct sw_metric_family body_family = {
    .name = "http.client.request.body.size",
    .help = "Size of HTTP client request bodies.",
    .unit = "By",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_DETAILED,
    .bounds = size_bounds,
    .bounds_count = SW_ARRAY_SIZE(size_bounds),
};

/** Those that are registered and can come as a final answer; any other counts as the first of its
 * hundred, as RFC 9110 (15) tells clients to treat it. */
static const uint16_t statuses[] = {
    200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400,
    401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422,
    423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
};
// And one series for requests without an answer.
#define STATUSES_COUNT SW_ARRAY_SIZE(statuses)

/* ---- the layer ---- */

struct measure;

struct measured {
    struct sw_push_call call; // what the attempt is given
    struct sw_push_call *outer;
    struct measure *measure;
    struct measured *next; // spare list
    uint64_t began_ns;
};

struct measure {
    struct sw_push push;
    struct sw_push *next;
    enum sw_call_kind kind;
    struct measured *spare;
    uint32_t spare_count;
    struct sw_cell *seconds[STATUSES_COUNT + 1]; // by gRPC code, or index of the HTTP status
    struct sw_cell *bytes[STATUSES_COUNT + 1];
};

static unsigned status_index(unsigned status)
{
    for (unsigned i = 0; i < STATUSES_COUNT; i++) {
        if (statuses[i] == status) {
            return i;
        }
    }
    return status >= 200 && status < 600 ? status_index(status / 100 * 100) : STATUSES_COUNT;
}

static unsigned code_of(const struct sw_outcome *outcome)
{
    if (outcome->err == SW_OK) {
        return SW_GRPC_OK;
    }
    if (outcome->grpc_code > 0 && outcome->grpc_code < CODES_COUNT) {
        return (unsigned)outcome->grpc_code;
    }
    return outcome->err == SW_E_TIMEOUT ? SW_GRPC_DEADLINE_EXCEEDED : SW_GRPC_UNAVAILABLE;
}

static void record(struct measured *measured, const struct sw_outcome *outcome)
{
    struct measure *measure = measured->measure;
    uint64_t took_ns = measure->push.core->now_ns - measured->began_ns;
    double seconds = (double)took_ns / (double)SW_NS_PER_S;
    if (measure->kind == SW_CALL_GRPC) {
        sw_measure(measure->seconds[code_of(outcome)], seconds);
        return;
    }
    unsigned at = status_index(measured->call.http_status);
    sw_measure(measure->seconds[at], seconds);
    sw_measure(measure->bytes[at], (double)measured->call.body_bytes);
}

static void done(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct measured *measured = SW_CONTAINER_OF(call, struct measured, call);
    struct measure *measure = measured->measure;
    struct sw_push_call *outer = measured->outer;
    outer->batch = call->batch;
    record(measured, outcome);
    if (measure->spare_count < SPARE_MAX) {
        measured->next = measure->spare;
        measure->spare = measured;
        measure->spare_count++;
    } else {
        sw_free(measured);
    }
    outer->done(outer, outcome);
}

static int measure_open(struct sw_push *push)
{
    return sw_push_open(((struct measure *)push)->next);
}

static int measure_reserve(struct sw_push *push)
{
    struct measure *measure = (struct measure *)push;
    if (measure->spare == NULL) {
        measure->spare = sw_zalloc(sizeof(*measure->spare));
        if (measure->spare == NULL) {
            return SW_E_NOMEM;
        }
        measure->spare_count = 1;
    }
    return sw_push_reserve(measure->next);
}

static void measure_start(struct sw_push *push, struct sw_push_call *call)
{
    struct measure *measure = (struct measure *)push;
    struct measured *measured = measure->spare;
    if (measured != NULL) {
        measure->spare = measured->next;
        measure->spare_count--;
    } else {
        measured = sw_alloc(sizeof(*measured));
    }
    if (measured == NULL) {
        sw_push_done_err(call, SW_E_NOMEM);
        return;
    }
    *measured = (struct measured){
        .call = {.batch = call->batch, .done = done, .deadline_ns = call->deadline_ns},
        .outer = call,
        .measure = measure,
        .began_ns = push->core->now_ns,
    };
    call->below = measured;
    sw_push_start(measure->next, &measured->call);
}

static void measure_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct measured *measured = call->below;
    sw_push_cancel(((struct measure *)push)->next, &measured->call, err);
}

static void measure_stop(struct sw_push *push, bool keep_retrying)
{
    sw_push_stop(((struct measure *)push)->next, keep_retrying);
}

static void measure_close(struct sw_push *push)
{
    sw_push_close(((struct measure *)push)->next);
}

static void measure_free(struct sw_push *push)
{
    struct measure *measure = (struct measure *)push;
    while (measure->spare != NULL) {
        struct measured *measured = measure->spare;
        measure->spare = measured->next;
        sw_free(measured);
    }
    sw_push_free(measure->next);
    sw_free(measure);
}

static const struct sw_push_ops measure_ops = {
    .open = measure_open,
    .reserve = measure_reserve,
    .start = measure_start,
    .cancel = measure_cancel,
    .stop = measure_stop,
    .close = measure_close,
    .free = measure_free,
};

/* ---- cells ---- */

static int make_grpc_cells(
    struct measure *measure,
    const struct sw_stage_env *env,
    const struct sw_label *address,
    unsigned core
)
{
    static const char *const methods[SW_SIGNALS_COUNT] = {
        [SW_TRACES] = "opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SW_METRICS] = "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        [SW_LOGS] = "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    };
    int err = SW_OK;
    for (int code = 0; err == SW_OK && code < CODES_COUNT; code++) {
        const struct sw_label labels[] = {
            {"rpc.method", methods[env->signal]},
            {"rpc.response.status_code", sw_grpc_code_word(code)},
            {"rpc.system.name", "grpc"},
            address[0],
            address[1],
        };
        err = sw_cell_make(
            env->metrics, core, &rpc_family, labels, SW_ARRAY_SIZE(labels), &measure->seconds[code]
        );
    }
    return err;
}

static int make_http_cells(
    struct measure *measure,
    const struct sw_stage_env *env,
    const struct sw_label *address,
    unsigned core
)
{
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i <= STATUSES_COUNT; i++) {
        char status[8] = "";
        const struct sw_label labels[] = {
            {"http.request.method", "POST"},
            address[0],
            address[1],
            {"url.scheme", "http"},
            // Without an answer these three are not known.
            {"network.protocol.name", "http"},
            {"network.protocol.version", "1.1"},
            {"http.response.status_code", status},
        };
        unsigned count = SW_ARRAY_SIZE(labels) - (i == STATUSES_COUNT ? 3 : 0);
        if (i < STATUSES_COUNT) {
            snprintf(status, sizeof(status), "%u", statuses[i]);
        }
        err = sw_cell_make(env->metrics, core, &http_family, labels, count, &measure->seconds[i]);
        if (err == SW_OK) {
            err = sw_cell_make(env->metrics, core, &body_family, labels, count, &measure->bytes[i]);
        }
    }
    return err;
}

int sw_measure_new(
    const struct sw_stage_env *env,
    enum sw_call_kind kind,
    const struct sw_label *address,
    struct sw_core *core,
    struct sw_push *attempt,
    struct sw_push **ret_push
)
{
    if (kind == SW_CALL_UNMEASURED || env->metrics == NULL
        || sw_metrics_level(env->metrics) < SW_LEVEL_DETAILED) {
        *ret_push = attempt;
        return SW_OK;
    }
    struct measure *measure = sw_zalloc(sizeof(*measure));
    if (measure == NULL) {
        sw_push_free(attempt);
        return SW_E_NOMEM;
    }
    measure->push = (struct sw_push){.ops = &measure_ops, .core = core};
    measure->next = attempt;
    measure->kind = kind;
    int err = kind == SW_CALL_GRPC ? make_grpc_cells(measure, env, address, core->index)
                                   : make_http_cells(measure, env, address, core->index);
    if (err != SW_OK) {
        measure_free(&measure->push);
        return err;
    }
    *ret_push = &measure->push;
    return SW_OK;
}

/* ---- errors ---- */

enum {
    TYPE_SHUTDOWN = CODES_COUNT,
    TYPE_CANCELED,
    TYPE_DEADLINE,
    TYPE_OTHER,
    TYPES_COUNT,
};
_Static_assert(TYPES_COUNT == SW_ERROR_TYPES_COUNT, "each type has its place");

unsigned sw_error_type(const struct sw_outcome *outcome)
{
    if (outcome->err == SW_E_SHUTDOWN) {
        return TYPE_SHUTDOWN;
    }
    if (outcome->grpc_code > 0 && outcome->grpc_code < CODES_COUNT) {
        return (unsigned)outcome->grpc_code;
    }
    return outcome->err == SW_E_TIMEOUT ? TYPE_DEADLINE : TYPE_OTHER;
}

const char *sw_error_type_text(unsigned type)
{
    static const char *const texts[] = {
        [TYPE_SHUTDOWN - CODES_COUNT] = "Shutdown",
        [TYPE_CANCELED - CODES_COUNT] = "Canceled",
        [TYPE_DEADLINE - CODES_COUNT] = "Deadline_Exceeded",
        [TYPE_OTHER - CODES_COUNT] = "_OTHER",
    };
    SW_ASSERT(type < TYPES_COUNT);
    return type < CODES_COUNT ? sw_grpc_code_name((int)type) : texts[type - CODES_COUNT];
}
