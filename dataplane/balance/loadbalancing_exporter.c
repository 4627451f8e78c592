#include "dataplane/balance/loadbalancing_exporter.h"

#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/export.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The helper's own limit where none is configured.
#define TIMEOUT_NS (5 * SW_NS_PER_S)

/* The exporter on one core: what stands before the router, and the router. */
struct front {
    struct sw_stage stage;
    struct sw_stage *inner; // queue, export, retry, router
    struct router *router;
};

static const char *const service_name[] = {"service.name"};

__attribute__((format(printf, 3, 4))) static int
refuse(const struct sw_stage_env *env, int err, const char *format, ...)
{
    if (env->error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(env->error, env->error_size, format, args);
        va_end(args);
    }
    return err;
}

static void shared_free(void *shared)
{
    struct balance *balance = shared;
    if (balance != NULL) {
        sw_topology_end(balance);
        sw_queue_pool_free(balance->pool);
        sw_recent_free(balance->recent);
        sw_free(balance->backend_id);
        sw_free(balance);
    }
}

/* ---- options of ours ---- */

int sw_loadbalancing_generation(
    const struct sw_appliance_view *view,
    enum sw_ring_generation *ret_generation
)
{
    static const char *const words[] = {"A", "B", "C", NULL};
    int index = SW_RING_C;
    for (size_t i = 0; view != NULL && i < view->settings.list.count; i++) {
        const struct sw_value_entry *entry =
            &SW_LIST_AT(view->settings.list, struct sw_value_entry, i);
        const struct sw_value *value = &entry->value;
        if (strcmp(entry->key, "ring_generation") == 0) {
            index =
                value->kind == SW_VALUE_STRING ? sw_word_index(words, value->string, false) : -1;
        }
    }
    if (index < 0) {
        return SW_E_INVALID;
    }
    *ret_generation = (enum sw_ring_generation)index;
    return SW_OK;
}

static int
read_failover(const struct sw_stage_env *env, const struct sw_value *value, struct balance *balance)
{
    static const char *const words[] = {"none", "next_owner", NULL};
    int index = value->kind == SW_VALUE_STRING ? sw_word_index(words, value->string, false) : -1;
    if (index < 0) {
        return refuse(env, SW_E_INVALID, "failover must be \"none\" or \"next_owner\"");
    }
    balance->failover = index == 1;
    return SW_OK;
}

// Where the signal's own key is another one there is nothing to do; one that is written and is another one
// is a mistake.
static int read_drain_aware(
    const struct sw_stage_env *env,
    const struct sw_value *value,
    struct balance *balance
)
{
    const char *key = balance->conf->routing_key;
    if (value->kind != SW_VALUE_BOOL) {
        return refuse(env, SW_E_INVALID, "drain_aware must be true or false");
    }
    if (!value->boolean) {
        return SW_OK;
    }
    if (key[0] != '\0' && sw_loadbalancing_key(key, SW_FOR_TRACES) != SW_ROUTE_TRACE_ID) {
        return refuse(env, SW_E_INVALID, "drain_aware needs the routing_key traceID");
    }
    bool by_trace = sw_loadbalancing_key(key, 1u << env->signal) == SW_ROUTE_TRACE_ID;
    return by_trace ? sw_recent_new(balance->cores_count, &balance->recent) : SW_OK;
}

static int read_options(const struct sw_stage_env *env, struct balance *balance)
{
    int err = sw_loadbalancing_generation(env->appliance, &balance->generation);
    if (err != SW_OK) {
        return refuse(env, err, "ring_generation must be \"A\", \"B\" or \"C\"");
    }
    if (env->appliance == NULL) {
        return SW_OK;
    }
    const struct sw_list *list = &env->appliance->settings.list;
    for (size_t i = 0; err == SW_OK && i < list->count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(*list, struct sw_value_entry, i);
        if (strcmp(entry->key, "failover") == 0) {
            err = read_failover(env, &entry->value, balance);
        } else if (strcmp(entry->key, "drain_aware") == 0) {
            err = read_drain_aware(env, &entry->value, balance);
        } else if (strcmp(entry->key, "kind") != 0 && strcmp(entry->key, "id") != 0 && strcmp(entry->key, "ring_generation") != 0) {
            err = refuse(env, SW_E_UNSUPPORTED, "setting %s is not supported here", entry->key);
        }
    }
    return err;
}

/* ---- making ---- */

static int read_key(const struct sw_stage_env *env, struct balance *balance)
{
    const struct sw_loadbalancing_exporter_conf *conf = balance->conf;
    int key = sw_loadbalancing_key(conf->routing_key, 1u << env->signal);
    if (key < 0) {
        return refuse(env, SW_E_INVALID, "unsupported routing_key: %s", conf->routing_key);
    }
    if (conf->routing_attributes.count > ROUTING_NAMES_MAX) {
        return refuse(
            env, SW_E_UNSUPPORTED, "routing_attributes: at most %d are supported", ROUTING_NAMES_MAX
        );
    }
    balance->key = (enum sw_routing_key)key;
    balance->names = conf->routing_attributes;
    if (balance->key == SW_ROUTE_SERVICE) {
        balance->names = (struct sw_list){(void *)service_name, 1};
    }
    return SW_OK;
}

// The type of the backends' exporters and this one's name (v0.159).
static int make_id(struct balance *balance)
{
    const char *slash = strchr(balance->id, '/');
    const char *name = slash != NULL ? slash : "";
    size_t size = strlen(name) + sizeof("otlp_grpc");
    balance->backend_id = sw_alloc(size);
    if (balance->backend_id == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(balance->backend_id, size, "otlp_grpc%s", name);
    return SW_OK;
}

static int
check_resolver(const struct sw_stage_env *env, const struct sw_loadbalancing_exporter_conf *conf)
{
    if (conf->resolver.k8s != NULL || conf->resolver.aws_cloud_map != NULL) {
        const char *name = conf->resolver.k8s != NULL ? "k8s" : "aws_cloud_map";
        return refuse(env, SW_E_UNSUPPORTED, "resolver::%s: is not supported yet, use dns", name);
    }
    if (conf->resolver.static_list != NULL
        && conf->resolver.static_list->hostnames.count > SW_RING_ENDPOINTS_MAX) {
        return refuse(
            env,
            SW_E_UNSUPPORTED,
            "resolver::static::hostnames: at most %d are supported",
            SW_RING_ENDPOINTS_MAX
        );
    }
    return SW_OK;
}

// What is wrong with all backends alike is found now and not at the first one.
static int check_client(const struct sw_stage_env *env, const struct balance *balance)
{
    struct sw_otlp_calls *calls = NULL;
    struct sw_queue_pool *pool = NULL;
    struct sw_stage_env quiet = *env;
    quiet.metrics = NULL;
    int err =
        sw_otlp_calls_new(&quiet, &balance->conf->protocol.otlp.client, "localhost:4317", &calls);
    if (err == SW_OK) {
        err = sw_queue_pool_new(&quiet, &balance->conf->protocol.otlp.sending_queue, &pool);
    }
    sw_otlp_calls_free(calls);
    sw_queue_pool_free(pool);
    return err;
}

static void fill(struct balance *balance, const struct sw_stage_env *env)
{
    const struct sw_sending_queue_conf *queue = &balance->conf->protocol.otlp.sending_queue;
    balance->id = env->id;
    balance->signal = env->signal;
    balance->hands_over = queue->enabled && !queue->wait_for_result;
    balance->drain_retry = env->drain_retry;
    balance->cores_count = env->cores_count;
    balance->metrics = env->metrics;
    balance->resolver = env->resolver;
    balance->account = env->account;
    balance->environment = env->environment;
    balance->resolver_name = balance->conf->resolver.dns != NULL ? "dns" : "static";
}

static int shared_new(const struct sw_stage_env *env, const void *conf, void **ret_shared)
{
    struct balance *balance = sw_zalloc(sizeof(*balance));
    if (balance == NULL) {
        return SW_E_NOMEM;
    }
    balance->conf = conf;
    balance->apply = sw_router_apply;
    fill(balance, env);
    int err = check_resolver(env, conf);
    if (err == SW_OK) {
        err = read_options(env, balance);
    }
    if (err == SW_OK) {
        err = read_key(env, balance);
    }
    if (err == SW_OK) {
        err = make_id(balance);
    }
    if (err == SW_OK) {
        err = check_client(env, balance);
    }
    if (err == SW_OK) {
        err = sw_queue_pool_new(env, &balance->conf->sending_queue, &balance->pool);
    }
    if (err == SW_OK) {
        err = sw_topology_begin(balance, env);
    }
    if (err != SW_OK) {
        shared_free(balance);
        return err;
    }
    *ret_shared = balance;
    return SW_OK;
}

/* ---- the stage ---- */

static int front_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return sw_stage_admit(((struct front *)stage)->inner, batch, mode);
}

static void front_retract(struct sw_stage *stage, const struct sw_batch *batch)
{
    sw_stage_retract(((struct front *)stage)->inner, batch);
}

static void front_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    sw_stage_consume(((struct front *)stage)->inner, batch, ticket);
}

static void front_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct sw_stage *inner = ((struct front *)stage)->inner;
    inner->ops->drop(inner, batch, err);
}

static int front_start(struct sw_stage *stage)
{
    struct sw_stage *inner = ((struct front *)stage)->inner;
    return inner->ops->start(inner);
}

// First what has not been handed over, then what the backends own.
static int front_drain(struct sw_stage *stage, uint64_t deadline_ns)
{
    struct front *front = (struct front *)stage;
    int err = front->inner->ops->drain(front->inner, deadline_ns);
    return err == SW_OK ? sw_router_drain(front->router, deadline_ns) : err;
}

static void front_free(struct sw_stage *stage)
{
    if (stage != NULL) {
        struct front *front = (struct front *)stage;
        front->inner->ops->free(front->inner);
        sw_free(front);
    }
}

static const struct sw_stage_ops front_ops = {
    .admit = front_admit,
    .retract = front_retract,
    .consume = front_consume,
    .drop = front_drop,
    .start = front_start,
    .drain = front_drain,
    .free = front_free,
};

static int create(
    const struct sw_stage_env *env,
    const void *conf_ptr,
    void *shared,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    const struct sw_loadbalancing_exporter_conf *conf = conf_ptr;
    struct balance *balance = shared;
    struct front *front = sw_zalloc(sizeof(*front));
    if (front == NULL) {
        return SW_E_NOMEM;
    }
    if (balance->recent != NULL && core->index == 0) {
        sw_recent_seed(balance->recent, &core->rand);
    }
    int err = sw_router_new(balance, core, &front->router);
    if (err != SW_OK) {
        sw_free(front);
        return err;
    }
    const struct sw_export_conf export = {
        .queue = &conf->sending_queue,
        .retry = &conf->retry_on_failure,
        .timeout_ns = conf->timeout_ns > 0 ? (uint64_t)conf->timeout_ns : TIMEOUT_NS,
        .call_kind = SW_CALL_UNMEASURED,
    };
    struct sw_push *push = sw_router_push(front->router);
    err = sw_export_new(env, &export, balance->pool, core, push, &front->inner);
    if (err != SW_OK) {
        balance->links[core->index].owner = NULL;
        sw_free(front);
        return err;
    }
    front->stage = (struct sw_stage){.ops = &front_ops, .core = core, .id = env->id};
    *ret_stage = &front->stage;
    return SW_OK;
}

const struct sw_stage_class sw_loadbalancing_exporter_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
    .options = true,
};
