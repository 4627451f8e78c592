#include "tests/unit/dataplane/balance/bed.h"

#include "tests/lib/traces.h"

#include <stdlib.h>

static struct bed *current;

static unsigned backend_of(const struct request *request)
{
    return request->server->listener;
}

/* ---- what backends do ---- */

static void arrived(
    void *context,
    struct sw_bytes resource,
    struct sw_bytes scope,
    const struct sw_span_view *view
)
{
    uint64_t number = traces_number(view->trace_id) - 1;
    assert_true(number < BED_SPANS_MAX);
    current->arrived[*(unsigned *)context][number]++;
}

static void on_request(struct request *request)
{
    unsigned backend = backend_of(request);
    struct sw_bytes body = {request->body->data + 5, request->body->size - 5};
    current->requests[backend]++;
    switch (current->moods[backend]) {
    case BED_OK:
        traces_each(body, arrived, &backend);
        site_answer_ok(request);
        break;
    case BED_UNAVAILABLE:
        site_answer_status(request, "14", "not now", NULL);
        break;
    case BED_INVALID:
        site_answer_status(request, "3", "never", NULL);
        break;
    case BED_HANG:
        break;
    }
}

/* ---- failing allocations ---- */

void bed_begin(struct bed *bed)
{
    if (bed->to_go > 0) {
        sw_mem_fail_at(bed->to_go, bed->dry > 0);
    }
}

void bed_end(struct bed *bed)
{
    uint64_t seen = sw_mem_fail_at(0, 0);
    if (bed->to_go == 0) {
        return;
    }
    bool failed = seen >= bed->to_go;
    uint64_t dry = failed ? seen - bed->to_go : 0;
    bed->to_go -= failed ? bed->to_go : seen;
    if (failed && dry < bed->dry) { // the next ones fail, too
        bed->dry -= dry + 1;
        bed->to_go = 1;
    }
}

static void around(struct site *site, bool begins)
{
    if (begins) {
        bed_begin(current);
    } else {
        bed_end(current);
    }
}

/* ---- the world ---- */

static int discovery_begin(struct sw_discovery *discovery, struct sw_discovery_watch *watch)
{
    struct bed *bed = SW_CONTAINER_OF(discovery, struct bed, discovery);
    bed->watch = watch;
    return SW_OK;
}

static void discovery_end(struct sw_discovery *discovery, struct sw_discovery_watch *watch)
{
    struct bed *bed = SW_CONTAINER_OF(discovery, struct bed, discovery);
    assert_ptr_equal(bed->watch, watch);
    bed->watch = NULL;
}

static const struct sw_discovery_ops discovery_ops = {
    .begin = discovery_begin,
    .end = discovery_end,
};

static struct sw_retry_on_failure_conf retries(bool enabled)
{
    return (struct sw_retry_on_failure_conf){
        .enabled = enabled,
        .initial_interval_ns = (int64_t)SW_NS_PER_S,
        .multiplier = 1.5,
        .max_interval_ns = 5 * (int64_t)SW_NS_PER_S,
        .max_elapsed_time_ns = 300 * (int64_t)SW_NS_PER_S,
    };
}

static void fill_conf(struct bed *bed)
{
    const struct bed_plan *plan = &bed->plan;
    bed->dns = (struct sw_resolver_dns_conf){
        .hostname = "gateways",
        .port_text = "4317",
        .interval_ns = 5 * (int64_t)SW_NS_PER_S,
        .timeout_ns = (int64_t)SW_NS_PER_S,
    };
    bed->conf = (struct sw_loadbalancing_exporter_conf){
        .routing_key = "",
        .retry_on_failure = retries(plan->top_retry),
        .sending_queue =
            {.enabled = plan->top_queue, .num_consumers = 10, .queue_size = 100, .storage = ""},
        .resolver = {.dns = &bed->dns},
    };
    bed->conf.protocol.otlp = (struct sw_otlp_exporter_conf){
        .client =
            {
                .endpoint = "placeholder:4317",
                .compression = SW_COMPRESSION_NONE,
                .user_agent = "",
                .balancer_name = "round_robin",
                .authority = "",
            },
        .timeout_ns = (plan->timeout_s > 0 ? plan->timeout_s : 5) * (int64_t)SW_NS_PER_S,
        .retry_on_failure = retries(plan->backend_retry),
        .sending_queue =
            {
                .enabled = plan->backend_queue,
                .wait_for_result = plan->wait_for_result,
                .num_consumers = plan->consumers > 0 ? plan->consumers : 10,
                .queue_size = plan->queue_size > 0 ? plan->queue_size : 100,
                .storage = "",
            },
    };
    bed->failover = (struct sw_value_entry){
        .key = "failover",
        .value = {.kind = SW_VALUE_STRING, .string = "next_owner"},
    };
    bed->view = (struct sw_appliance_view){
        .settings = {.kind = SW_VALUE_MAP, .list = {&bed->failover, 1}},
    };
}

static void fill_env(struct bed *bed)
{
    static char why[256];
    bed->env = (struct sw_stage_env){
        .id = "load_balancing",
        .signal = SW_TRACES,
        .metrics = bed->metrics,
        .account = &bed->site.account,
        .cores_count = 1,
        .appliance = bed->plan.failover ? &bed->view : NULL,
        .discovery = &bed->discovery,
        .error = why,
        .error_size = sizeof(why),
    };
}

static int make(struct bed *bed)
{
    const struct sw_stage_class *class = &sw_loadbalancing_exporter_class;
    struct sw_core *core = &bed->site.cores[0];
    int err = class->shared_new(&bed->env, &bed->conf, &bed->shared);
    if (err == SW_OK) {
        err = class->create(&bed->env, &bed->conf, bed->shared, core, NULL, &bed->stage);
    }
    if (err == SW_OK) {
        err = bed->stage->ops->start(bed->stage);
    }
    return err;
}

void bed_plan_run(struct bed *bed, const struct bed_plan *plan)
{
    memset(bed, 0, sizeof(*bed));
    current = bed;
    bed->plan = *plan;
    site_init(&bed->site, SITE_MEMORY);
    bed->site.on_request = on_request;
    for (unsigned i = 0; i < BED_BACKENDS; i++) {
        site_listen(&bed->site, i + 1);
        bed->site.deaf[i] = (plan->listeners >> i & 1) == 0;
    }
    bed->site.cores[0].events = sw_events_new(256);
    assert_int_equal(sw_post_new(2, 16, &bed->post), 0);
    bed->site.cores[0].mailbox = sw_post_mailbox(bed->post, 0);
    sw_mailbox_bind(bed->site.cores[0].mailbox, &bed->site.cores[0]);
    bed->discovery = (struct sw_discovery){&discovery_ops, sw_post_mailbox(bed->post, 1)};
    sw_mailbox_bind(bed->discovery.mailbox, bed);
    assert_int_equal(sw_metrics_new(2, &bed->metrics), 0);
    bed->branch.exporter = "load_balancing";
    fill_conf(bed);
    fill_env(bed);
    bed->site.around = around;
    bed->to_go = plan->fail_at;
    bed->dry = plan->fails;
    bed_begin(bed);
    int err = make(bed);
    bed_end(bed);
    bed->unready = err != SW_OK;
    assert_true(err == SW_OK || err == SW_E_NOMEM);
    if (!bed->unready && plan->first != 0) {
        bed_tell(bed, plan->first);
        bed_advance(bed, 0);
    }
}

void bed_close(struct bed *bed)
{
    bed_begin(bed);
    if (bed->stage != NULL) {
        (void)!bed->stage->ops->drain(bed->stage, bed->site.cores[0].now_ns);
        bed->stage->ops->free(bed->stage);
    }
    bed_end(bed);
    if (bed->shared != NULL) {
        sw_loadbalancing_exporter_class.shared_free(bed->shared);
    }
    assert_null(bed->watch);
    site_rest(&bed->site);
    assert_int_equal(bed->branch.flow[SW_BRANCH_QUEUED], 0);
    sw_post_free(bed->post);
    sw_metrics_free(bed->metrics);
    site_fini(&bed->site);
}

static void poll_mail(struct bed *bed)
{
    bed_begin(bed);
    while (sw_mailbox_poll(bed->site.cores[0].mailbox, 16) > 0
           || sw_mailbox_poll(bed->discovery.mailbox, 16) > 0) {
    }
    bed_end(bed);
}

void bed_advance(struct bed *bed, uint64_t ns)
{
    poll_mail(bed);
    site_flush(&bed->site);
    site_advance(&bed->site, ns);
    poll_mail(bed);
    site_rest(&bed->site);
}

void bed_tell(struct bed *bed, unsigned backends)
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
    const char *list[BED_BACKENDS];
    unsigned count = 0;
    for (unsigned i = 0; i < BED_BACKENDS; i++) {
        if ((backends >> i & 1) != 0) {
            list[count++] = addresses[i];
        }
    }
    bed_begin(bed);
    bed->watch->answered(bed->watch, SW_OK, list, count, 0);
    bed_end(bed);
    poll_mail(bed);
}

void bed_tell_error(struct bed *bed, int err)
{
    bed->watch->answered(bed->watch, err, NULL, 0, 0);
    poll_mail(bed);
}

int bed_send(struct bed *bed, uint32_t count, struct bench_ticket *ticket)
{
    struct sw_batch *batch = bench_batch_in(&bed->site.account, bed->sent_count, count, 0);
    batch->branch = &bed->branch;
    bed->branch.flow[SW_BRANCH_QUEUED] += count;
    bed->sent_count += count;
    assert_true(bed->sent_count <= BED_SPANS_MAX);
    bed_begin(bed);
    int err = bench_hand_over(bed->stage, batch, ticket);
    bed_end(bed);
    if (err != SW_OK) {
        bed->branch.flow[SW_BRANCH_QUEUED] -= count;
    }
    return err;
}

/* ---- what came of it ---- */

unsigned bed_owner(unsigned backends, uint32_t span)
{
    static const char *const texts[] = {
        "10.0.0.1:4317", "10.0.0.2:4317", "10.0.0.3:4317", "10.0.0.4:4317"};
    static struct sw_ring *rings[1 << BED_BACKENDS];
    const char *list[BED_BACKENDS];
    unsigned numbers[BED_BACKENDS];
    unsigned count = 0;
    for (unsigned i = 0; i < BED_BACKENDS; i++) {
        if ((backends >> i & 1) != 0) {
            list[count] = texts[i];
            numbers[count++] = i;
        }
    }
    if (rings[backends] == NULL) {
        assert_int_equal(sw_ring_new(SW_RING_C, list, count, &rings[backends]), 0);
    }
    uint8_t id[16] = {0};
    for (unsigned k = 0; k < 4; k++) {
        id[15 - k] = (uint8_t)((span + 1) >> (8 * k));
    }
    uint32_t position = sw_ring_position(rings[backends], id, sizeof(id));
    return numbers[sw_ring_owner(rings[backends], position)];
}

unsigned bed_hits(const struct bed *bed, uint32_t span)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < BED_BACKENDS; i++) {
        hits += bed->arrived[i][span];
    }
    return hits;
}

void bed_expect_home(const struct bed *bed, uint32_t from, unsigned backends)
{
    for (uint32_t i = from; i < bed->sent_count; i++) {
        assert_int_equal(bed_hits(bed, i), 1);
        assert_int_equal(bed->arrived[bed_owner(backends, i)][i], 1);
    }
}

void bed_expect_once(const struct bed *bed)
{
    for (uint32_t i = 0; i < bed->sent_count; i++) {
        assert_int_equal(bed_hits(bed, i), 1);
    }
}

int64_t bed_failed(const struct bed *bed)
{
    int64_t failed = 0;
    for (unsigned i = SW_BRANCH_DELIVERED + 1; i < SW_BRANCH_FLOWS_COUNT; i++) {
        failed += bed->branch.flow[i];
    }
    return failed;
}

double bed_metric(const struct bed *bed, const char *name)
{
    return bench_metric(bed->metrics, name, NULL, NULL);
}

// @return events with this message
static unsigned take_events(struct bed *bed, const char *message, int64_t *ret_items)
{
    struct sw_event event;
    unsigned count = 0;
    *ret_items = 0;
    while (sw_events_take(bed->site.cores[0].events, &event)) {
        if (event.kind->message != NULL && strcmp(event.kind->message, message) == 0) {
            count++;
            *ret_items += event.items;
        }
        sw_event_fini(&event);
    }
    return count;
}

unsigned bed_told(struct bed *bed, const char *message)
{
    int64_t items;
    return take_events(bed, message, &items);
}

int64_t bed_told_items(struct bed *bed, const char *message)
{
    int64_t items;
    (void)take_events(bed, message, &items);
    return items;
}

void bed_drop(struct bed *bed, unsigned backend)
{
    bed->site.deaf[backend] = true;
    site_drop_listener(&bed->site, backend);
}
