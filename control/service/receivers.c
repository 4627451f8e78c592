/* Receivers of a generation. Each core has its own object of each receiver; control owns the listeners, one
 * per endpoint, and the limits that all of them share. */
#include "control/service/receivers.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/receive/memory_limiter.h"
#include "dataplane/receive/otlp_receiver.h"

#include <stdio.h>
#include <string.h>

// A listener that had run out of descriptors is left alone for so long.
#define REST_NS SW_NS_PER_S
// Of the memory that requests may use before a limiter refuses them, this part is for those that still come
// in, where no limiter says how large it is (its spike_limit).
#define BUDGET_PART 5

#define REQUESTS_GATE "receiverhelper.newReceiverMetrics"

enum protocol {
    PROTOCOL_GRPC,
    PROTOCOL_HTTP,
    PROTOCOLS_COUNT,
};

struct receiver;

struct endpoint {
    struct receiver *receiver;
    enum protocol protocol;
    struct sw_listener *listener; // NULL: not served, or closed
    struct sw_watch watch;
    bool resting; // out of descriptors: not watched
    uint64_t rests_until_ns;
};

struct receiver {
    struct sw_receivers *receivers;
    const struct sw_conf_component *component;
    struct sw_otlp_receiver **instances; // [core]
    struct endpoint endpoints[PROTOCOLS_COUNT];
};

struct sw_receivers {
    struct sw_build_env env;
    struct receiver *items;
    unsigned count;
    struct sw_http_budget budget; // any thread
    int watch_set;
};

static const struct sw_otlp_receiver_conf *conf_of(const struct receiver *receiver)
{
    return receiver->component->conf;
}

/* ---- limits ---- */

// The memory_limiter of a pipeline, NULL: it has none.
static const struct sw_memory_limiter_conf *limiter_of(const struct sw_conf_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->processors_count; i++) {
        if (pipeline->processors[i]->component == &sw_memory_limiter) {
            return pipeline->processors[i]->conf;
        }
    }
    return NULL;
}

static bool feeds(const struct sw_conf_component *receiver, const struct sw_conf_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->receivers_count; i++) {
        if (pipeline->receivers[i] == receiver) {
            return true;
        }
    }
    return false;
}

static int64_t total_bytes(const struct sw_build_env *env)
{
    return env->baseline != NULL ? env->baseline->total_bytes : 0;
}

static int64_t default_limit(const struct sw_build_env *env)
{
    return total_bytes(env) / 100 * SW_MEMORY_DEFAULT_PERCENT;
}

// 0: memory_limiters guard everything behind the receiver.
static int64_t limit_of(const struct receiver *receiver)
{
    const struct sw_build_env *env = &receiver->receivers->env;
    for (size_t i = 0; i < env->conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &env->conf->pipelines[i];
        if (feeds(receiver->component, pipeline) && limiter_of(pipeline) == NULL) {
            return default_limit(env);
        }
    }
    return 0;
}

/* What requests on their way in may take: the distance between the point where data are refused and the
 * limit, the smallest there is. Never less than the largest request. */
static int64_t budget_of(const struct sw_receivers *receivers)
{
    const struct sw_build_env *env = &receivers->env;
    int64_t budget = default_limit(env) > 0 ? default_limit(env) / BUDGET_PART : INT64_MAX / 2;
    for (size_t i = 0; i < env->conf->pipelines_count; i++) {
        const struct sw_memory_limiter_conf *conf = limiter_of(&env->conf->pipelines[i]);
        struct sw_memory_limits limits;
        if (conf != NULL && sw_memory_limits(conf, total_bytes(env), &limits) == SW_OK) {
            budget = SW_MIN(budget, limits.hard_bytes - limits.soft_bytes);
        }
    }
    for (unsigned i = 0; i < receivers->count; i++) {
        int64_t largest = sw_otlp_receiver_message_max(conf_of(&receivers->items[i]));
        budget = SW_MAX(budget, largest);
    }
    return budget;
}

/* ---- making ---- */

static int refuse(
    const struct sw_conf_component *component,
    const char *why,
    int err,
    char *error,
    size_t error_size
)
{
    snprintf(
        error,
        error_size,
        "%s:%u: receiver %s: %s",
        component->mark.source,
        component->mark.line,
        component->id,
        why
    );
    return err;
}

static int make_instances(
    struct receiver *receiver,
    const struct sw_generation *generation,
    char *error,
    size_t error_size
)
{
    struct sw_receivers *receivers = receiver->receivers;
    const struct sw_build_env *base = &receivers->env;
    struct sw_otlp_receiver_env env = {
        .id = receiver->component->id,
        .conf = receiver->component->conf,
        .metrics = base->metrics,
        .budget = &receivers->budget,
        .baseline = base->baseline,
        .memory_limit_bytes = limit_of(receiver),
        .count_requests = sw_conf_gate(base->conf, REQUESTS_GATE),
    };
    env.doors = sw_generation_doors(generation, &env.doors_count);
    env.handed_over = sw_generation_handed_over(generation, &env.handed_over_count);
    receiver->instances = sw_zalloc(base->cores_count * sizeof(*receiver->instances));
    int err = receiver->instances != NULL ? SW_OK : SW_E_NOMEM;
    for (unsigned core = 0; err == SW_OK && core < base->cores_count; core++) {
        env.core = base->cores[core];
        for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
            env.entries[signal] =
                sw_generation_entry(generation, receiver->component, signal, core);
        }
        err = sw_otlp_receiver_new(&env, &receiver->instances[core]);
    }
    if (err != SW_OK) {
        return refuse(receiver->component, sw_err_text(err), err, error, error_size);
    }
    return SW_OK;
}

static int check(const struct sw_conf_component *component, char *error, size_t error_size)
{
    if (component->component != &sw_otlp_receiver) {
        return refuse(component, "is not supported yet", SW_E_UNSUPPORTED, error, error_size);
    }
    return SW_OK;
}

static void add(struct sw_receivers *receivers, const struct sw_conf_component *component)
{
    struct receiver *receiver = &receivers->items[receivers->count++];
    receiver->receivers = receivers;
    receiver->component = component;
    for (unsigned i = 0; i < PROTOCOLS_COUNT; i++) {
        receiver->endpoints[i] = (struct endpoint){
            .receiver = receiver,
            .protocol = i,
            .watch = {.fd = -1},
        };
    }
}

static int make_all(
    struct sw_receivers *receivers,
    const struct sw_generation *generation,
    char *error,
    size_t error_size
)
{
    const struct sw_conf *conf = receivers->env.conf;
    receivers->items = sw_zalloc(conf->components_count * sizeof(*receivers->items));
    if (receivers->items == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *component = &conf->components[i];
        if (component->kind != SW_RECEIVER || !component->used) {
            continue;
        }
        int err = check(component, error, error_size);
        if (err != SW_OK) {
            return err;
        }
        add(receivers, component);
    }
    receivers->budget = (struct sw_http_budget){
        .limit_bytes = budget_of(receivers),
        .account = receivers->env.account,
    };
    for (unsigned i = 0; i < receivers->count; i++) {
        int err = make_instances(&receivers->items[i], generation, error, error_size);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

int sw_receivers_new(
    const struct sw_build_env *env,
    struct sw_generation *generation,
    struct sw_receivers **ret_receivers,
    char *error,
    size_t error_size
)
{
    snprintf(error, error_size, "%s", "");
    struct sw_receivers *receivers = sw_zalloc(sizeof(*receivers));
    if (receivers == NULL) {
        snprintf(error, error_size, "%s", sw_err_text(SW_E_NOMEM));
        return SW_E_NOMEM;
    }
    receivers->env = *env;
    receivers->watch_set = -1;
    int err = make_all(receivers, generation, error, error_size);
    if (err != SW_OK) {
        if (error[0] == '\0') {
            snprintf(error, error_size, "%s", sw_err_text(err));
        }
        sw_receivers_free(receivers);
        return err;
    }
    *ret_receivers = receivers;
    return SW_OK;
}

void sw_receivers_free(struct sw_receivers *receivers)
{
    if (receivers == NULL) {
        return;
    }
    for (unsigned i = 0; i < receivers->count; i++) {
        struct receiver *receiver = &receivers->items[i];
        for (unsigned k = 0; k < PROTOCOLS_COUNT; k++) {
            sw_listener_close(receiver->endpoints[k].listener);
        }
        for (unsigned core = 0; receiver->instances != NULL && core < receivers->env.cores_count;
             core++) {
            sw_otlp_receiver_free(receiver->instances[core]);
        }
        sw_free(receiver->instances);
    }
    sw_free(receivers->items);
    sw_free(receivers);
}

/* ---- listening ---- */

static void accept_grpc(void *context, struct sw_core *core, struct sw_stream *stream)
{
    struct receiver *receiver = context;
    sw_otlp_receiver_accept_grpc(receiver->instances[core->index], stream);
}

static void accept_http(void *context, struct sw_core *core, struct sw_stream *stream)
{
    struct receiver *receiver = context;
    sw_otlp_receiver_accept_http(receiver->instances[core->index], stream);
}

static void unwatch(struct endpoint *endpoint, int watch_set)
{
    if (endpoint->watch.fd >= 0) {
        sw_watch_remove(watch_set, &endpoint->watch);
    }
}

// Out of descriptors: the connection stays in the backlog, and watching on would only spin.
static void listener_ready(struct sw_watch *watch)
{
    struct endpoint *endpoint = SW_CONTAINER_OF(watch, struct endpoint, watch);
    if (!sw_listener_poll(endpoint->listener)) {
        unwatch(endpoint, endpoint->receiver->receivers->watch_set);
        endpoint->resting = true;
        endpoint->rests_until_ns = sw_clock_ns() + REST_NS;
    }
}

static int watch(struct endpoint *endpoint, int watch_set)
{
    endpoint->watch =
        (struct sw_watch){.fd = sw_listener_fd(endpoint->listener), .ready = listener_ready};
    int err = sw_watch_add(watch_set, &endpoint->watch);
    if (err != SW_OK) {
        endpoint->watch.fd = -1;
    }
    return err;
}

// Go's "tcp4" listens on IPv4 only; with a port alone the address says so.
static const char *endpoint_text(const char *text, int transport, char *room, size_t room_size)
{
    if (transport == SW_TRANSPORT_TCP4 && text[0] == ':') {
        snprintf(room, room_size, "0.0.0.0%s", text);
        return room;
    }
    return text;
}

static int listen_on(
    struct endpoint *endpoint,
    struct sw_mailbox *mailbox,
    struct sw_dealer *dealer,
    char *error,
    size_t error_size
)
{
    struct receiver *receiver = endpoint->receiver;
    const struct sw_build_env *env = &receiver->receivers->env;
    const struct sw_otlp_receiver_conf *conf = conf_of(receiver);
    bool grpc = endpoint->protocol == PROTOCOL_GRPC;
    int transport = grpc ? conf->protocols.grpc.transport : conf->protocols.http.server.transport;
    char room[300];
    char why[512];
    struct sw_listener_conf listener_conf = {
        .endpoint = endpoint_text(
            grpc ? conf->protocols.grpc.endpoint : conf->protocols.http.server.endpoint,
            transport,
            room,
            sizeof(room)
        ),
        .unix_socket = transport == SW_TRANSPORT_UNIX,
        .cores_count = env->cores_count,
        .cores = env->cores,
        .mailbox = mailbox,
        .accept = grpc ? accept_grpc : accept_http,
        .context = receiver,
    };
    int err = sw_listener_open(&listener_conf, dealer, &endpoint->listener, why, sizeof(why));
    if (err != SW_OK) {
        snprintf(
            error, error_size, "failed to start \"%s\" receiver: %s", receiver->component->id, why
        );
    }
    return err;
}

static int open_endpoint(
    struct endpoint *endpoint,
    struct sw_mailbox *mailbox,
    struct sw_dealer *dealer,
    char *error,
    size_t error_size
)
{
    struct sw_receivers *receivers = endpoint->receiver->receivers;
    int err = listen_on(endpoint, mailbox, dealer, error, error_size);
    if (err == SW_OK) {
        err = watch(endpoint, receivers->watch_set);
        if (err != SW_OK) {
            snprintf(error, error_size, "%s", sw_err_text(err));
        }
    }
    return err;
}

int sw_receivers_listen(
    struct sw_receivers *receivers,
    struct sw_mailbox *mailbox,
    struct sw_dealer *dealer,
    int watch_set,
    void (*opened)(void *context, const char *id, const char *what, const char *address),
    void *context,
    char *error,
    size_t error_size
)
{
    static const char *const words[PROTOCOLS_COUNT] = {"GRPC", "HTTP"};
    receivers->watch_set = watch_set;
    for (unsigned i = 0; i < receivers->count; i++) {
        struct receiver *receiver = &receivers->items[i];
        const struct sw_otlp_receiver_conf *conf = conf_of(receiver);
        const bool enabled[PROTOCOLS_COUNT] = {
            conf->protocols.grpc.enabled,
            conf->protocols.http.enabled,
        };
        for (unsigned k = 0; k < PROTOCOLS_COUNT; k++) {
            struct endpoint *endpoint = &receiver->endpoints[k];
            if (!enabled[k]) {
                continue;
            }
            int err = open_endpoint(endpoint, mailbox, dealer, error, error_size);
            if (err != SW_OK) {
                sw_receivers_unlisten(receivers, watch_set);
                return err;
            }
            opened(
                context, receiver->component->id, words[k], sw_listener_address(endpoint->listener)
            );
        }
    }
    return SW_OK;
}

void sw_receivers_unlisten(struct sw_receivers *receivers, int watch_set)
{
    for (unsigned i = 0; i < receivers->count; i++) {
        for (unsigned k = 0; k < PROTOCOLS_COUNT; k++) {
            struct endpoint *endpoint = &receivers->items[i].endpoints[k];
            unwatch(endpoint, watch_set);
            endpoint->resting = false;
            sw_listener_close(endpoint->listener);
            endpoint->listener = NULL;
        }
    }
}

void sw_receivers_tick(struct sw_receivers *receivers, int watch_set)
{
    for (unsigned i = 0; i < receivers->count; i++) {
        for (unsigned k = 0; k < PROTOCOLS_COUNT; k++) {
            struct endpoint *endpoint = &receivers->items[i].endpoints[k];
            if (endpoint->resting && sw_clock_ns() >= endpoint->rests_until_ns) {
                // What fails now is tried again by the next tick.
                endpoint->resting = watch(endpoint, watch_set) != SW_OK;
            }
        }
    }
}

void sw_receivers_notice(struct sw_receivers *receivers, struct sw_core *core, uint64_t notice_ns)
{
    for (unsigned i = 0; i < receivers->count; i++) {
        sw_otlp_receiver_notice(receivers->items[i].instances[core->index], notice_ns);
    }
}

int sw_receivers_drain(struct sw_receivers *receivers, struct sw_core *core, uint64_t deadline_ns)
{
    int waiting = SW_OK;
    for (unsigned i = 0; i < receivers->count; i++) {
        struct sw_otlp_receiver *instance = receivers->items[i].instances[core->index];
        if (sw_otlp_receiver_drain(instance, deadline_ns) != SW_OK) {
            waiting = SW_E_AGAIN;
        }
    }
    return waiting;
}
