#include "control/discover/discover.h"
#include "control/service/findings_internal.h"
#include "control/service/resolver.h"
#include "control/service/service_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/version.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define RING_SIZE      512u
#define TICK_NS        (100 * SW_NS_PER_MS)
#define CHECK_NS       SW_NS_PER_S
#define START_LIMIT_NS (30 * SW_NS_PER_S)

static void mailbox_ready(struct sw_watch *watch)
{
    eventfd_t value;
    (void)eventfd_read(watch->fd, &value);
}

static void discovery_ready(struct sw_watch *watch)
{
    struct service *service = SW_CONTAINER_OF(watch, struct service, discovery_watch);
    sw_discover_poll(service->discovery, sw_clock_ns());
}

static void signal_ready(struct sw_watch *watch)
{
    struct service *service = SW_CONTAINER_OF(watch, struct service, signal_watch);
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            struct sw_log_field field = sw_log_text("signal", "hangup");
            sw_observe_log(
                service,
                SW_LOG_WARN,
                SW_LOG_HERE,
                "Reload is not supported yet, the configuration stays",
                &field,
                1
            );
            continue;
        }
        sw_shutdown_begin(service, (int)info.ssi_signo);
    }
}

// SIGPIPE and SIGHUP included: a peer that goes must not end the process.
static int watch_signals(struct service *service)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return SW_E_SYSTEM;
    }
    signal(SIGPIPE, SIG_IGN);
    service->signal_watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    service->signal_watch.ready = signal_ready;
    if (service->signal_watch.fd < 0) {
        return SW_E_SYSTEM;
    }
    return sw_watch_add(service->watch_set, &service->signal_watch);
}

// GOMAXPROCS caps the workers as it caps the Collector's threads; the appliance file has the last word.
static unsigned workers_wanted(struct service *service)
{
    if (service->appliance->workers_count > 0) {
        return service->appliance->workers_count;
    }
    unsigned count = sw_worker_count_for("", 0);
    const char *hint = getenv("GOMAXPROCS");
    unsigned long cap = hint != NULL ? strtoul(hint, NULL, 10) : 0;
    count = SW_MIN(count, SW_CORES_MAX);
    return cap > 0 && cap < count ? (unsigned)cap : count;
}

static void tell_circle(struct service *service, const struct sw_discover_news *news)
{
    const struct sw_conf_component *exporter =
        sw_findings_circle(service->conf, news->hostname, news->own);
    if (exporter == NULL) {
        return; // another program listens there
    }
    struct sw_log_field fields[] = {
        sw_log_text("otelcol.component.id", exporter->id),
        sw_log_text("otelcol.component.kind", "exporter"),
        sw_log_text("hostname", news->hostname),
        sw_log_text("address", news->own),
    };
    sw_observe_log(
        service,
        SW_LOG_WARN,
        SW_LOG_HERE,
        "An address of the backends is our own receiver: what is sent there goes round in circles",
        fields,
        SW_ARRAY_SIZE(fields)
    );
}

static void discovery_told(void *context, const struct sw_discover_news *news)
{
    struct service *service = context;
    struct sw_log_field fields[] = {sw_log_text("hostname", news->hostname), {.key = NULL}};
    if (news->why != NULL) {
        fields[1] = sw_log_text("error", news->why);
        sw_observe_log(
            service,
            SW_LOG_WARN,
            SW_LOG_HERE,
            "Looking up the backends fails, those that are known stay in use",
            fields,
            2
        );
    } else if (news->failed) {
        sw_observe_log(
            service, SW_LOG_INFO, SW_LOG_HERE, "Looking up the backends works again", fields, 1
        );
    }
    if (news->left_out > 0) {
        fields[1] = sw_log_integer("left_out", news->left_out);
        sw_observe_log(
            service,
            SW_LOG_WARN,
            SW_LOG_HERE,
            "A name has more addresses than are used, the rest is left out",
            fields,
            2
        );
    }
    if (news->own != NULL) {
        tell_circle(service, news);
    }
}

static int make_discovery(struct service *service)
{
    const struct sw_discover_conf conf = {
        .mailbox = service->mailbox,
        .told = discovery_told,
        .context = service,
    };
    int err = sw_discover_new(&conf, &service->discovery);
    if (err == SW_OK) {
        service->discovery_watch.fd = sw_discover_fd(service->discovery);
        service->discovery_watch.ready = discovery_ready;
        err = sw_watch_add(service->watch_set, &service->discovery_watch);
    }
    return err;
}

static int make_world(struct service *service)
{
    service->cores_count = workers_wanted(service);
    service->baseline.total_bytes = (int64_t)sw_memory_limit_for("");
    unsigned control = service->cores_count;
    int err = sw_post_new(service->cores_count + 4, RING_SIZE, &service->post);
    if (err == SW_OK) {
        err = sw_quiet_new(service->cores_count, &service->quiet);
    }
    if (err == SW_OK) {
        err = sw_metrics_new(service->cores_count, &service->metrics);
    }
    if (err == SW_OK) {
        // Without a page nobody looks: the lowest level counts the least.
        int level = service->conf->service.telemetry.metrics.level;
        sw_metrics_set_level(
            service->metrics,
            level == SW_METRICS_NONE ? SW_LEVEL_BASIC : (enum sw_metric_level)level
        );
        err = sw_watch_set_open(&service->watch_set);
    }
    if (err != SW_OK) {
        return err;
    }
    service->mailbox = sw_post_mailbox(service->post, control);
    sw_mailbox_bind(service->mailbox, service);
    service->mailbox_watch.fd = sw_mailbox_fd(service->mailbox);
    service->mailbox_watch.ready = mailbox_ready;
    err = sw_watch_add(service->watch_set, &service->mailbox_watch);
    if (err == SW_OK) {
        err = watch_signals(service);
    }
    if (err == SW_OK) {
        err = sw_resolver_thread_new(service->post, control + 1, &service->resolver);
    }
    if (err == SW_OK) {
        err = sw_files_new(service->post, control + 2, &service->account, &service->files);
    }
    if (err == SW_OK) {
        err = sw_service_stores_new(service, control + 3);
    }
    if (err == SW_OK) {
        err = make_discovery(service);
    }
    return err;
}

static int make_workers(struct service *service)
{
    static const enum sw_worker_idle idle[] = {
        [SW_IDLE_ADAPTIVE] = SW_WORKER_ADAPTIVE,
        [SW_IDLE_BUSY] = SW_WORKER_BUSY,
        [SW_IDLE_INTERRUPT] = SW_WORKER_INTERRUPT,
    };
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        return SW_E_SYSTEM;
    }
    for (unsigned i = 0; i < service->cores_count; i++) {
        struct sw_worker_conf conf = {
            .index = i,
            .cores_count = service->cores_count,
            .post = service->post,
            .quiet = service->quiet,
            .account = &service->account,
            .metrics = service->metrics,
            .idle = idle[service->appliance->idle],
            .seed = seed,
            .cpu = -1,
        };
        int err = sw_worker_new(&conf, &service->workers[i]);
        if (err != SW_OK) {
            return err;
        }
        service->cores[i] = sw_worker_core(service->workers[i]);
    }
    return SW_OK;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static int make_pipelines(struct service *service, char *error, size_t error_size)
{
    struct sw_build_env env = {
        .conf = service->conf,
        .appliance = service->appliance,
        .cores_count = service->cores_count,
        .cores = service->cores,
        .metrics = service->metrics,
        .account = &service->account,
        .resolver = service->resolver,
        .discovery = service->discovery,
        .files = service->files,
        .durable = true,
        .keep_refused = service->emptying != NULL,
        .journal = service->journal,
        .environment = environment,
        .baseline = &service->baseline,
    };
    int err = sw_generation_new(&env, &service->generation, error, error_size);
    if (err != SW_OK) {
        return err;
    }
    err = sw_receivers_new(&env, service->generation, &service->receivers, error, error_size);
    for (unsigned i = 0; err == SW_OK && i < service->cores_count; i++) {
        for (unsigned k = 0; err == SW_OK && k < sw_generation_balances_count(service->generation);
             k++) {
            err = sw_worker_add_balance(
                service->workers[i], sw_generation_balance(service->generation, k)
            );
        }
    }
    return err;
}

/* "Start your stages", to each worker. */
struct start_order {
    struct sw_message message;
    struct service *service;
    int err; // filled in by the worker
};

static void start_here(struct sw_message *message, void *receiver)
{
    struct start_order *order = (struct start_order *)message;
    struct sw_core *core = receiver;
    order->err = sw_generation_start(order->service->generation, core->index);
    sw_mailbox_return(core->mailbox, message);
}

static void started(struct sw_message *message, void *sender)
{
    struct start_order *order = (struct start_order *)message;
    struct service *service = order->service;
    if (order->err != SW_OK) {
        service->start_err = order->err;
    }
    service->starts_out--;
    sw_free(order);
}

// One turn of the control actor.
static void turn(struct service *service, int wait_ms)
{
    if (sw_mailbox_poll(service->mailbox, 256) == 0 && sw_mailbox_sleep_begin(service->mailbox)) {
        sw_watch_wait(service->watch_set, wait_ms);
        sw_mailbox_sleep_end(service->mailbox);
    } else {
        sw_watch_wait(service->watch_set, 0);
    }
}

static int start_workers(struct service *service)
{
    for (unsigned i = 0; i < service->cores_count; i++) {
        struct start_order *order = sw_zalloc(sizeof(*order));
        if (order == NULL) {
            return SW_E_NOMEM;
        }
        order->message = (struct sw_message){.deliver = start_here, .returned = started};
        order->service = service;
        service->starts_out++;
        sw_mailbox_send(service->mailbox, i, &order->message);
    }
    for (unsigned i = 0; i < service->cores_count; i++) {
        int err = sw_worker_launch(service->workers[i]);
        if (err != SW_OK) {
            return err;
        }
    }
    uint64_t limit_ns = sw_clock_ns() + START_LIMIT_NS;
    while (service->starts_out > 0 && sw_clock_ns() < limit_ns) {
        turn(service, 100);
    }
    return service->starts_out > 0 ? SW_E_TIMEOUT : service->start_err;
}

static void listener_opened(void *context, const char *id, const char *what, const char *address)
{
    struct sw_log_field fields[] = {
        sw_log_text("otelcol.component.id", id),
        sw_log_text("otelcol.component.kind", "receiver"),
        sw_log_text("endpoint", address),
    };
    char message[64];
    snprintf(message, sizeof(message), "Starting %s server", what);
    sw_observe_log(context, SW_LOG_INFO, SW_LOG_HERE, message, fields, SW_ARRAY_SIZE(fields));
}

static void say_start(struct service *service)
{
    struct sw_log_field fields[] = {
        sw_log_text("Version", SW_VERSION),
        sw_log_integer("NumCPU", sysconf(_SC_NPROCESSORS_ONLN)),
        sw_log_integer("workers", service->cores_count),
    };
    sw_observe_log(
        service, SW_LOG_INFO, SW_LOG_HERE, "Starting spanweir...", fields, SW_ARRAY_SIZE(fields)
    );
}

static int start(struct service *service, char *error, size_t error_size)
{
    int err = sw_hand_over_check(service, error, error_size);
    if (err == SW_OK) {
        err = make_world(service);
    }
    if (err == SW_OK) {
        err = sw_observe_new(service, error, error_size);
    }
    if (err == SW_OK) {
        say_start(service);
        err = make_workers(service);
    }
    if (err == SW_OK) {
        err = sw_observe_open(service, error, error_size);
    }
    if (err == SW_OK) {
        err = make_pipelines(service, error, error_size);
    }
    if (err == SW_OK) {
        err = sw_observe_pipelines(service);
    }
    if (err == SW_OK) {
        err = sw_service_disks_open(service, error, error_size);
    }
    if (err == SW_OK) {
        err = start_workers(service);
    }
    if (err == SW_OK && service->emptying == NULL) {
        err = sw_receivers_listen(
            service->receivers,
            service->mailbox,
            &service->dealer,
            service->watch_set,
            listener_opened,
            service,
            error,
            error_size
        );
    }
    return err;
}

static void tick(struct service *service, uint64_t now_ns)
{
    sw_discover_poll(service->discovery, now_ns);
    if (now_ns >= service->next_tick_ns) {
        service->next_tick_ns = now_ns + TICK_NS;
        sw_observe_tick(service);
        sw_receivers_tick(service->receivers, service->watch_set);
    }
    if (now_ns >= service->next_check_ns) {
        service->next_check_ns = now_ns + CHECK_NS;
        sw_observe_check_books(service);
    }
}

// Resident bytes that no buffer accounts for: code, tables, the allocator's own.
static void take_baseline(struct service *service)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    unsigned long long resident_pages = 0;
    if (got > 0 && sscanf(text, "%*u %llu", &resident_pages) == 1) {
        int64_t bytes =
            (int64_t)resident_pages * sysconf(_SC_PAGESIZE) - sw_account_charged(&service->account);
        atomic_store_explicit(
            &service->baseline.bytes, bytes > 0 ? bytes : 0, memory_order_relaxed
        );
    }
}

static void look_whether_empty(struct service *service)
{
    uint64_t left;
    uint64_t refused;
    if (service->emptying == NULL || service->phase != PHASE_RUNNING) {
        return;
    }
    bool done = sw_emptying_done(service, &left, &refused);
    service->emptying->progress(service->emptying->context, left, refused);
    if (done) {
        sw_shutdown_begin(service, SIGTERM);
    }
}

static void run(struct service *service)
{
    if (service->phase == PHASE_STARTING) { // unless it was told to end meanwhile
        service->phase = PHASE_RUNNING;
        sw_observe_ready(service, true);
        sw_observe_log(
            service,
            SW_LOG_INFO,
            SW_LOG_HERE,
            "Everything is ready. Begin running and processing data.",
            NULL,
            0
        );
    }
    while (service->phase < PHASE_DONE) {
        turn(service, (int)(TICK_NS / SW_NS_PER_MS));
        uint64_t now_ns = sw_clock_ns();
        tick(service, now_ns);
        look_whether_empty(service);
        sw_shutdown_step(service, now_ns);
    }
}

static void clean_up(struct service *service)
{
    if (service->receivers != NULL) {
        sw_receivers_unlisten(service->receivers, service->watch_set);
    }
    for (unsigned i = 0; i < service->cores_count; i++) {
        if (service->workers[i] != NULL) {
            sw_worker_stop(service->workers[i]);
        }
    }
    sw_service_disks_close(service);
    sw_observe_tick(service); // what the cores said last
    sw_observe_close(service);
    // In this order: stages settle the tickets they hold, and a ticket lives in a receiver's call.
    sw_generation_free(service->generation);
    sw_receivers_free(service->receivers);
    sw_discover_free(service->discovery);
    sw_files_free(service->files);
    sw_journal_free(service->journal);
    sw_drain_free(service->drain);
    if (!sw_resolver_thread_free(service->resolver)) {
        sw_observe_free(service);
        return; // the process ends, the thread with it
    }
    for (unsigned i = 0; i < service->cores_count; i++) {
        sw_worker_free(service->workers[i]);
    }
    sw_observe_free(service);
    sw_metrics_free(service->metrics);
    sw_quiet_free(service->quiet);
    sw_post_free(service->post);
    if (service->signal_watch.fd > 0) {
        close(service->signal_watch.fd);
    }
    if (service->watch_set > 0) {
        close(service->watch_set);
    }
}

int sw_service_run(const struct sw_conf *conf, const struct sw_appliance *appliance)
{
    return sw_service_run_with(conf, appliance, NULL, NULL, NULL);
}

int sw_service_run_with(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    const struct sw_queue_drain *emptying,
    uint64_t *ret_left,
    uint64_t *ret_refused
)
{
    struct service *service = sw_zalloc(sizeof(*service));
    char error[1024] = "";
    if (service == NULL) {
        fprintf(stderr, "Error: %s\n", sw_err_text(SW_E_NOMEM));
        return 1;
    }
    service->conf = conf;
    service->appliance = appliance;
    service->emptying = emptying;
    int err = start(service, error, sizeof(error));
    if (err == SW_OK) {
        take_baseline(service);
        run(service);
    } else {
        fprintf(stderr, "Error: cannot start: %s\n", error[0] != '\0' ? error : sw_err_text(err));
    }
    int code = err == SW_OK && service->phase == PHASE_DONE ? 0 : 1;
    if (service->phase == PHASE_FORCED) {
        _exit(1); // told twice: nothing is waited for
    }
    struct hand_over *plan = NULL;
    if (err == SW_OK) {
        sw_service_disks_close(service); // what the cores had done is committed
        sw_hand_over_plan(service, &plan);
    }
    if (emptying != NULL && err == SW_OK) {
        (void)sw_emptying_done(service, ret_left, ret_refused);
    }
    clean_up(service);
    sw_free(service);
    sw_hand_over_run(plan);
    return code;
}
