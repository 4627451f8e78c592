/* What people and metrics hear of a router. */
#include "dataplane/balance/router_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"

#include <stdio.h>
#include <string.h>

// What was sent elsewhere is told so long after the first of it, as one number.
#define REROUTED_WAIT_NS SW_NS_PER_S

static const struct sw_metric_family rerouted_families[SW_SIGNALS_COUNT] = {
    {
        .name = "spanweir_loadbalancer_rerouted_spans",
        .help = "Spans that a backend did not take and that went to another one",
        .unit = "{spans}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_loadbalancer_rerouted_metric_points",
        .help = "Metric points that a backend did not take and that went to another one",
        .unit = "{datapoints}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
    {
        .name = "spanweir_loadbalancer_rerouted_log_records",
        .help = "Log records that a backend did not take and that went to another one",
        .unit = "{records}",
        .type = SW_COUNTER,
        .level = SW_LEVEL_BASIC,
    },
};
static const struct sw_metric_family unroutable_family = {
    .name = "spanweir_loadbalancer_unroutable_metric_points",
    .help = "Metric points of resources without service.name, which the Collector drops in silence",
    .unit = "{datapoints}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_metric_family ending_family = {
    .name = "spanweir_loadbalancer_backends_ending",
    .help = "Backends that have said that they will end: they get no new traces (drain_aware)",
    .unit = "{backends}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind notices[] = {
    [NOTICE_GONE] =
        {
            .level = SW_EVENT_WARN,
            .message = "A backend has left, what it did not deliver is sent to the others",
            .component_kind = "exporter",
            .text_key = "endpoint",
        },
    [NOTICE_DOWN] =
        {
            .level = SW_EVENT_WARN,
            .message = "A backend refuses connections, its share goes to the next owners",
            .component_kind = "exporter",
            .text_key = "endpoint",
        },
    [NOTICE_BACK] =
        {
            .level = SW_EVENT_INFO,
            .message = "A backend is back and gets its share again",
            .component_kind = "exporter",
            .text_key = "endpoint",
        },
    [NOTICE_ENDING] =
        {
            .level = SW_EVENT_INFO,
            .message = "A backend will end, new traces go to the next owners",
            .component_kind = "exporter",
            .text_key = "endpoint",
        },
    [NOTICE_BROKEN] =
        {
            .level = SW_EVENT_ERROR,
            .message = "A backend has no exporter, its share fails",
            .component_kind = "exporter",
            .text_key = "error",
        },
};
static const struct sw_event_kind ring_in_force = {
    .level = SW_EVENT_INFO,
    .message = "The ring of backends has changed",
    .component_kind = "exporter",
    .count_key = "backends",
    .text_key = "digest",
};
static const struct sw_event_kind rerouted = {
    .level = SW_EVENT_WARN,
    .message = "Re-routed: backends did not take these, others did",
    .component_kind = "exporter",
    .items_key = "rerouted_items",
};

void sw_router_tell(struct router *router, enum router_notice notice, const char *text)
{
    struct sw_core *core = router->push.core;
    if (core->index != 0) {
        return; // all cores see the same
    }
    sw_event_leave(
        core->events,
        &notices[notice],
        router->balance->id,
        sw_signal_name(router->balance->signal),
        core->wall_ns,
        0,
        text,
        (uint32_t)strlen(text)
    );
}

void sw_router_tell_ring(struct router *router)
{
    struct sw_core *core = router->push.core;
    if (core->index != 0 || core->events == NULL) {
        return; // once a process
    }
    struct sw_event event = {
        .kind = &ring_in_force,
        .id = router->balance->id,
        .signal = sw_signal_name(router->balance->signal),
        .wall_ns = core->wall_ns,
        .count = router->topology->count,
    };
    event.text_len = (uint32_t)snprintf(
        event.text,
        sizeof(event.text),
        "%s:%s",
        sw_ring_generation_text(router->balance->generation),
        router->topology->digest
    );
    (void)sw_event_put(core->events, &event);
}

void sw_router_tell_rerouted(struct router *router)
{
    struct sw_core *core = router->push.core;
    const struct balance *balance = router->balance;
    if (router->rerouted_untold > 0) {
        sw_event_leave(
            core->events,
            &rerouted,
            balance->id,
            sw_signal_name(balance->signal),
            core->wall_ns,
            router->rerouted_untold,
            NULL,
            0
        );
    }
    router->rerouted_untold = 0;
}

static void on_rerouted_timer(struct sw_timer *timer, uint64_t now_ns)
{
    sw_router_tell_rerouted(SW_CONTAINER_OF(timer, struct router, rerouted_timer));
}

void sw_router_count_rerouted(struct router *router, uint32_t items_count)
{
    struct sw_core *core = router->push.core;
    sw_count(router->rerouted, items_count);
    router->rerouted_untold += items_count;
    if (!router->rerouted_timer.armed) {
        sw_timer_set(&core->timers, &router->rerouted_timer, core->now_ns + REROUTED_WAIT_NS);
    }
}

int sw_router_init_telling(struct router *router)
{
    sw_timer_init(&router->rerouted_timer, on_rerouted_timer);
    const struct balance *balance = router->balance;
    const struct sw_label label = {"exporter", balance->id};
    unsigned core = router->push.core->index;
    int err = sw_cell_make(
        balance->metrics, core, &rerouted_families[balance->signal], &label, 1, &router->rerouted
    );
    if (err == SW_OK && balance->recent != NULL && core == 0) {
        err = sw_cell_make(balance->metrics, core, &ending_family, &label, 1, &router->ending);
    }
    if (err == SW_OK && balance->signal == SW_METRICS) {
        err = sw_cell_make(
            balance->metrics, core, &unroutable_family, &label, 1, &router->unroutable
        );
    }
    return err;
}

void sw_router_end_telling(struct router *router)
{
    sw_timer_cancel(&router->push.core->timers, &router->rerouted_timer);
}
