/* From the signal to the exit (design: not ready, serve for drain.notice, then GOAWAY, decide what is
 * held, flush by drain.deadline). */
#include "control/service/service_internal.h"
#include "dataplane/base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

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
        struct log_pair pair = {"error", sw_err_text(err)};
        observe_log(service, SW_LOG_ERROR, "Cannot drain, ending at once", &pair, 1);
        service->phase = PHASE_FORCED;
    }
}

void shutdown_begin(struct service *service, int signal)
{
    if (service->phase >= PHASE_NOTICE) {
        observe_log(service, SW_LOG_WARN, "Second signal, ending at once", NULL, 0);
        service->phase = PHASE_FORCED;
        return;
    }
    struct log_pair pair = {"signal", signal == SIGINT ? "interrupt" : "terminated"};
    observe_log(service, SW_LOG_INFO, "Received signal from OS", &pair, 1);
    observe_log(service, SW_LOG_INFO, "Starting shutdown...", NULL, 0);
    observe_ready(service, false);
    service->phase = PHASE_NOTICE;
    service->notice_ends_ns = sw_clock_ns() + (uint64_t)service->appliance->drain.notice_ns;
}

// What became of everything, over all pipelines.
static void say_what_was_done(struct service *service, uint64_t now_ns)
{
    int64_t delivered = 0;
    int64_t failed = 0;
    int64_t left = 0;
    for (unsigned i = 0; i < sw_generation_balances_count(service->generation); i++) {
        struct sw_balance *balance = sw_generation_balance(service->generation, i);
        for (unsigned k = 0; k < sw_balance_branches_count(balance); k++) {
            struct sw_balance_sum sum;
            sw_balance_read(balance, k, &sum);
            delivered += sum.branch[SW_BRANCH_DELIVERED];
            left += sum.branch[SW_BRANCH_QUEUED];
            for (unsigned f = SW_BRANCH_FAILED_QUEUE_FULL; f < SW_BRANCH_FLOWS_COUNT; f++) {
                failed += sum.branch[f];
            }
            if (k == 0) {
                left += sum.flow[SW_FLOW_HELD] + sum.flow[SW_FLOW_IN_BATCH];
            }
        }
    }
    char texts[4][32];
    snprintf(texts[0], sizeof(texts[0]), "%" PRId64, delivered);
    snprintf(texts[1], sizeof(texts[1]), "%" PRId64, failed);
    snprintf(texts[2], sizeof(texts[2]), "%" PRId64, left);
    snprintf(
        texts[3],
        sizeof(texts[3]),
        "%.3f",
        (double)(now_ns - service->drain_began_ns) / (double)SW_NS_PER_S
    );
    struct log_pair pairs[] = {
        {"delivered_items", texts[0]},
        {"failed_items", texts[1]},
        {"left_items", texts[2]},
        {"seconds", texts[3]},
    };
    observe_log(service, SW_LOG_INFO, "Shutdown complete.", pairs, 4);
}

void shutdown_step(struct service *service, uint64_t now_ns)
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
        observe_tick(service);
        say_what_was_done(service, now_ns);
        service->phase = PHASE_DONE;
    }
}
