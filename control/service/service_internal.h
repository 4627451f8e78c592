#ifndef SW_SERVICE_SERVICE_INTERNAL_H
#define SW_SERVICE_SERVICE_INTERNAL_H

#include "control/queue/queue_command.h"
#include "control/service/actor_thread.h"
#include "control/service/build.h"
#include "control/service/drain.h"
#include "control/service/listener.h"
#include "control/service/receivers.h"
#include "control/service/service.h"
#include "control/service/watch.h"
#include "control/telemetry/log.h"
#include "dataplane/receive/memory_limiter.h"
#include "dataplane/worker/worker.h"
#include "storage/files/files.h"
#include "storage/journal/journal.h"

enum service_phase {
    PHASE_STARTING,
    PHASE_RUNNING,
    PHASE_NOTICE,   // told to end, still serving
    PHASE_DRAINING, // nothing new is taken in
    PHASE_DONE,
    PHASE_FORCED,
};

/* One core's clients are told that the end is near. */
struct notice {
    struct sw_message message;
    struct service *service;
};

struct observer; // log, page, health, books: observe.c, ports.c, books.c

/* Everything of the process; control thread only unless a member says otherwise. */
struct service {
    const struct sw_conf *conf;
    const struct sw_appliance *appliance;
    enum service_phase phase;
    const struct sw_queue_drain *emptying; // NULL: it serves; else it only empties stores
    unsigned cores_count;
    struct sw_worker *workers[SW_CORES_MAX];
    struct sw_core *cores[SW_CORES_MAX];
    struct sw_post *post; // mailboxes: workers, control, resolver, files, stores
    struct sw_mailbox *mailbox;
    struct sw_quiet *quiet;
    struct sw_account account; // any thread
    struct sw_memory_baseline baseline;
    struct sw_metrics *metrics;
    struct sw_resolver *resolver;
    struct sw_discovery *discovery;
    struct sw_watch discovery_watch;
    struct sw_files *files;
    struct sw_actor_thread *files_thread; // NULL: no exporter writes files
    struct sw_journal *journal;
    struct sw_actor_thread *journal_thread; // NULL: there is no store
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
    struct notice notices[SW_CORES_MAX];
    uint64_t notice_ends_ns;
    uint64_t drain_began_ns;
    uint64_t next_tick_ns;
    uint64_t next_check_ns;
};

/* ---- observe.c: what the process tells about itself ---- */

SW_CHECKED int sw_observe_new(struct service *service, char *error, size_t error_size);
void sw_observe_free(struct service *service);
/* The page and the extensions' ports, which open before the pipelines start. */
SW_CHECKED int sw_observe_open(struct service *service, char *error, size_t error_size);
/* The books of the generation are shown from now on. */
SW_CHECKED int sw_observe_pipelines(struct service *service);
/* The ports close and the books are forgotten; the log stays open. */
void sw_observe_close(struct service *service);
void sw_observe_ready(struct service *service, bool ready);
/* Every tick: events of the cores go to the log, the ports' timeouts are looked at. */
void sw_observe_tick(struct service *service);
/* Once a second: the books are checked. */
void sw_observe_check_books(struct service *service);
/* Before sw_observe_new and after sw_observe_free nothing is said. caller: SW_LOG_HERE. */
void sw_observe_log(
    struct service *service,
    enum sw_log_level level,
    const char *caller,
    const char *message,
    const struct sw_log_field *fields,
    unsigned fields_count
);

/* ---- stores.c: actors that write to disks ---- */

/* The stores that service::extensions names; `mailbox` is the actor's. */
SW_CHECKED int sw_service_stores_new(struct service *service, unsigned mailbox);
/* Files and stores are opened, and threads started where there are any. */
SW_CHECKED int sw_service_disks_open(struct service *service, char *error, size_t error_size);
/* The workers have stopped: what they sent is written. */
void sw_service_disks_close(struct service *service);

/* ---- empty.c ---- */

/* While it empties stores, every turn: is it done? */
bool sw_emptying_done(struct service *service, uint64_t *ret_left, uint64_t *ret_refused);

/* Runs until the stores are empty, in this process. @return exit code */
int sw_service_empty(const struct sw_queue_drain *order, uint64_t *ret_left, uint64_t *ret_refused);

/* ---- hand_over.c: at the end, what is left in stores goes to other gateways ---- */

struct hand_over;

/* Are there exporters with on_shutdown = "handover", and can it be done? */
SW_CHECKED int sw_hand_over_check(const struct service *service, char *error, size_t error_size);
/* What is left, and who could take it; the workers have stopped. *ret_plan NULL: there is nothing to do. */
void sw_hand_over_plan(struct service *service, struct hand_over **ret_plan);
/* Does it, when all of the service is gone. NULL is legal. */
void sw_hand_over_run(struct hand_over *plan);

/* ---- service.c ---- */

/* As sw_service_run. */
int sw_service_run_with(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    const struct sw_queue_drain *emptying,
    uint64_t *ret_left,
    uint64_t *ret_refused
);

/* ---- shutdown.c ---- */

void sw_shutdown_begin(struct service *service, int signal);
void sw_shutdown_step(struct service *service, uint64_t now_ns);

#endif
