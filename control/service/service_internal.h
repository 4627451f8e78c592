#ifndef SW_SERVICE_SERVICE_INTERNAL_H
#define SW_SERVICE_SERVICE_INTERNAL_H

#include "control/service/build.h"
#include "control/service/drain.h"
#include "control/service/listener.h"
#include "control/service/receivers.h"
#include "control/service/service.h"
#include "control/service/watch.h"
#include "dataplane/receive/memory_limiter.h"
#include "dataplane/worker/worker.h"

enum service_phase {
    PHASE_STARTING,
    PHASE_RUNNING,
    PHASE_NOTICE,   // told to end, still serving
    PHASE_DRAINING, // nothing new is taken in
    PHASE_DONE,
    PHASE_FORCED,
};

struct observer; // logs, pages, health: observe.c

/* Everything of the process; control thread only unless a member says otherwise. */
struct service {
    const struct sw_conf *conf;
    const struct sw_appliance *appliance;
    enum service_phase phase;
    unsigned cores_count;
    struct sw_worker *workers[SW_CORES_MAX];
    struct sw_core *cores[SW_CORES_MAX];
    struct sw_post *post; // mailboxes: workers, control, resolver
    struct sw_mailbox *mailbox;
    struct sw_quiet *quiet;
    struct sw_account account; // any thread
    struct sw_memory_baseline baseline;
    struct sw_metrics *metrics;
    struct sw_resolver *resolver;
    struct sw_generation *generation;
    struct sw_receivers *receivers;
    struct sw_dealer dealer;
    struct sw_drain *drain;
    struct observer *observer;
    int watch_set;
    struct sw_watch mailbox_watch;
    struct sw_watch signal_watch;
    unsigned starts_out; // start orders that are not back
    int start_err;
    uint64_t notice_ends_ns;
    uint64_t drain_began_ns;
    uint64_t next_tick_ns;
    uint64_t next_check_ns;
};

/* ---- observe.c: what the process tells about itself ---- */

struct log_pair {
    const char *key;
    const char *value;
};

SW_CHECKED int observe_new(struct service *service, char *error, size_t error_size);
void observe_free(struct service *service);
/* The page and the extensions' ports, which open before the pipelines start. */
SW_CHECKED int observe_open(struct service *service, char *error, size_t error_size);
void observe_close(struct service *service);
void observe_ready(struct service *service, bool ready);
/* Every tick: events of the cores go to the log. */
void observe_tick(struct service *service);
/* Once a second: the books are checked. */
void observe_check_books(struct service *service);
void observe_log(
    struct service *service,
    enum sw_log_level level,
    const char *message,
    const struct log_pair *pairs,
    unsigned pairs_count
);

/* ---- shutdown.c ---- */

void shutdown_begin(struct service *service, int signal);
void shutdown_step(struct service *service, uint64_t now_ns);

#endif
