/* From the signal to the exit (design: not ready, serve for drain.notice, then GOAWAY, decide what is
 * held, flush by drain.deadline). */
#include "control/service/service_internal.h"
#include "dataplane/base/clock.h"

#include <signal.h>

static int drain_receivers(void *context, struct sw_core *core, uint64_t deadline_ns)
{
    struct service *service = context;
    return sw_receivers_drain(service->receivers, core, deadline_ns);
}

static void begin_draining(struct service *service, uint64_t now_ns)
{
    service->phase = PHASE_DRAINING;
    service->drain_began_ns = now_ns;
    sw_receivers_unlisten(service->receivers, service->watch_set);
    struct sw_drain_conf conf = {
        .cores_count = service->cores_count,
        .mailbox = service->mailbox,
        .generation = service->generation,
        .deadline_ns = now_ns + (uint64_t)service->appliance->drain.deadline_ns,
        .drain_receivers = drain_receivers,
        .context = service,
    };
    int err = sw_drain_begin(&conf, &service->drain);
    if (err != SW_OK) {
        struct sw_log_field field = sw_log_text("error", sw_err_text(err));
        sw_observe_log(
            service, SW_LOG_ERROR, SW_LOG_HERE, "Cannot drain, ending at once", &field, 1
        );
        service->phase = PHASE_FORCED;
    }
}

static void notice_delivered(struct sw_message *message, void *receiver)
{
    struct sw_core *core = receiver;
    const struct service *service = ((struct notice *)message)->service;
    uint64_t notice_ns = (uint64_t)service->appliance->drain.notice_ns;
    sw_receivers_notice(service->receivers, core, notice_ns);
    sw_mailbox_return(core->mailbox, message);
}

// Clients that can go elsewhere with what is new do so from now on.
static void send_notices(struct service *service)
{
    bool running = service->phase == PHASE_RUNNING && service->appliance->drain.notice_ns > 0;
    for (unsigned i = 0; running && i < service->cores_count; i++) {
        service->notices[i] = (struct notice){
            .message = {.deliver = notice_delivered},
            .service = service,
        };
        sw_mailbox_send(service->mailbox, i, &service->notices[i].message);
    }
}

void sw_shutdown_begin(struct service *service, int signal)
{
    if (service->phase >= PHASE_NOTICE) {
        sw_observe_log(service, SW_LOG_WARN, SW_LOG_HERE, "Second signal, ending at once", NULL, 0);
        service->phase = PHASE_FORCED;
        return;
    }
    struct sw_log_field field =
        sw_log_text("signal", signal == SIGINT ? "interrupt" : "terminated");
    sw_observe_log(service, SW_LOG_INFO, SW_LOG_HERE, "Received signal from OS", &field, 1);
    sw_observe_log(service, SW_LOG_INFO, SW_LOG_HERE, "Starting shutdown...", NULL, 0);
    sw_observe_ready(service, false);
    send_notices(service);
    service->phase = PHASE_NOTICE;
    service->notice_ends_ns = sw_clock_ns() + (uint64_t)service->appliance->drain.notice_ns;
}

// What became of everything, over all pipelines.
static void say_what_was_done(struct service *service, uint64_t now_ns)
{
    int64_t delivered = 0;
    int64_t stored = 0;
    int64_t failed = 0;
    int64_t left = 0;
    for (unsigned i = 0; i < sw_generation_balances_count(service->generation); i++) {
        struct sw_balance *balance = sw_generation_balance(service->generation, i);
        for (unsigned k = 0; k < sw_balance_branches_count(balance); k++) {
            struct sw_balance_sum sum;
            sw_balance_read(balance, k, &sum);
            delivered += sum.branch[SW_BRANCH_DELIVERED];
            stored += sum.branch[SW_BRANCH_STORED];
            left += sum.branch[SW_BRANCH_QUEUED];
            for (unsigned f = SW_BRANCH_FAILED_QUEUE_FULL; f < SW_BRANCH_FLOWS_COUNT; f++) {
                failed += sum.branch[f];
            }
            if (k == 0) {
                left += sum.flow[SW_FLOW_HELD] + sum.flow[SW_FLOW_IN_BATCH];
            }
        }
    }
    double seconds = (double)(now_ns - service->drain_began_ns) / (double)SW_NS_PER_S;
    struct sw_log_field fields[] = {
        sw_log_integer("delivered_items", delivered),
        sw_log_integer("stored_items", stored),
        sw_log_integer("failed_items", failed),
        sw_log_integer("left_items", left),
        sw_log_number("seconds", seconds),
    };
    sw_observe_log(
        service, SW_LOG_INFO, SW_LOG_HERE, "Shutdown complete.", fields, SW_ARRAY_SIZE(fields)
    );
}

void sw_shutdown_step(struct service *service, uint64_t now_ns)
{
    if (service->phase == PHASE_NOTICE && now_ns >= service->notice_ends_ns) {
        begin_draining(service, now_ns);
    }
    if (service->phase == PHASE_DRAINING && sw_drain_done(service->drain)) {
        // The books as the cores left them: stopped cores publish no more.
        for (unsigned i = 0; i < service->cores_count; i++) {
            sw_worker_stop(service->workers[i]);
            for (unsigned k = 0; k < sw_generation_balances_count(service->generation); k++) {
                sw_balance_publish(sw_generation_balance(service->generation, k), i);
            }
        }
        sw_observe_tick(service);
        say_what_was_done(service, now_ns);
        service->phase = PHASE_DONE;
    }
}
