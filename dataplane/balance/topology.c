/* Which backends there are, and the ring they make. Made on the control thread, sent to the cores. */
#include "dataplane/balance/balance_internal.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT ":4317"

static const double latency_bounds[] = {5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

static const struct sw_metric_family latency_family = {
    .name = "otelcol_loadbalancer_backend_latency",
    .help = "Response latency in ms for the backends. [Development]",
    .unit = "ms",
    .type = SW_HISTOGRAM,
    .level = SW_LEVEL_BASIC,
    .bounds = latency_bounds,
    .bounds_count = SW_ARRAY_SIZE(latency_bounds),
};
static const struct sw_metric_family outcome_family = {
    .name = "otelcol_loadbalancer_backend_outcome",
    .help = "Number of successes and failures for each endpoint. [Development]",
    .unit = "{outcomes}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family resolutions_family = {
    .name = "otelcol_loadbalancer_num_resolutions",
    .help = "Number of times the resolver has triggered new resolutions. [Development]",
    .unit = "{resolutions}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family backends_family = {
    .name = "otelcol_loadbalancer_num_backends",
    .help = "Current number of backends in use. [Development]",
    .unit = "{backends}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family updates_family = {
    .name = "otelcol_loadbalancer_num_backend_updates",
    .help = "Number of times the list of backends was updated. [Development]",
    .unit = "{updates}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family left_out_family = {
    .name = "spanweir_loadbalancer_addresses_left_out",
    .help = "Addresses of DNS answers beyond the number that is looked at",
    .unit = "{addresses}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family ring_family = {
    .name = "spanweir_peer_ring_info",
    .help = "1 for the hash ring in force: agents with the same digest agree on every key",
    .unit = "",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

/* ---- endpoints ---- */

struct endpoint *sw_endpoint_ref(struct endpoint *endpoint)
{
    atomic_fetch_add_explicit(&endpoint->refs_count, 1, memory_order_relaxed);
    return endpoint;
}

// The release of each thread's last use pairs with the acquire of the one that frees.
void sw_endpoint_unref(struct endpoint *endpoint)
{
    if (endpoint == NULL
        || atomic_fetch_sub_explicit(&endpoint->refs_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    sw_otlp_calls_free(endpoint->calls);
    sw_queue_pool_free(endpoint->pool);
    sw_free(endpoint->dial);
    sw_free(endpoint);
}

// Only a text without any colon gets the default port, as in the Collector.
static char *dial_of(const char *text)
{
    bool bare = strchr(text, ':') == NULL;
    size_t size = strlen(text) + sizeof(DEFAULT_PORT);
    char *dial = sw_alloc(size);
    if (dial != NULL) {
        snprintf(dial, size, "%s%s", text, bare ? DEFAULT_PORT : "");
    }
    return dial;
}

static int make_series(const struct balance *balance, struct endpoint *endpoint)
{
    static const char *const words[] = {"false", "true"};
    struct sw_metrics *metrics = balance->metrics;
    if (metrics == NULL || balance->quiet || sw_metrics_level(metrics) < SW_LEVEL_BASIC) {
        return SW_OK;
    }
    struct sw_label labels[] = {{"endpoint", endpoint->dial}, {"success", NULL}};
    for (unsigned i = 0; i < 2; i++) {
        labels[1].value = words[i];
        endpoint->outcome[i] = sw_metrics_series(metrics, &outcome_family, labels, 2);
    }
    endpoint->latency = sw_metrics_series(metrics, &latency_family, labels, 1);
    bool made =
        endpoint->outcome[0] != NULL && endpoint->outcome[1] != NULL && endpoint->latency != NULL;
    return made ? SW_OK : SW_E_NOMEM;
}

// The Collector gives its sub-exporters no meter: env.metrics stays NULL.
static int make_chain(const struct balance *balance, struct endpoint *endpoint)
{
    const struct sw_otlp_exporter_conf *conf = &balance->conf->protocol.otlp;
    struct sw_stage_env env = {
        .id = balance->backend_id,
        .signal = balance->signal,
        .account = balance->account,
        .cores_count = balance->cores_count,
        .resolver = balance->resolver,
        .environment = balance->environment,
        .error = endpoint->why,
        .error_size = sizeof(endpoint->why),
    };
    int err = sw_queue_pool_new(&env, &conf->sending_queue, &endpoint->pool);
    if (err == SW_OK) {
        err = sw_otlp_calls_new(&env, &conf->client, endpoint->dial, &endpoint->calls);
    }
    if (err == SW_OK && balance->path != NULL) {
        sw_otlp_calls_path(endpoint->calls, balance->path);
    }
    return err;
}

static int endpoint_new(struct balance *balance, char *dial, struct endpoint **ret_endpoint)
{
    struct endpoint *endpoint = sw_zalloc(sizeof(*endpoint));
    if (endpoint == NULL) {
        sw_free(dial);
        return SW_E_NOMEM;
    }
    atomic_init(&endpoint->refs_count, 1);
    endpoint->dial = dial;
    endpoint->number = ++balance->endpoints_made;
    atomic_init(&endpoint->ends_ns, 0);
    int err = make_series(balance, endpoint);
    if (err == SW_OK) {
        err = make_chain(balance, endpoint);
    }
    if (err == SW_E_INVALID) {
        err = SW_OK; // it stays on the ring and its share fails, as in the Collector
    }
    if (err != SW_OK) {
        sw_endpoint_unref(endpoint);
        return err;
    }
    *ret_endpoint = endpoint;
    return SW_OK;
}

/* ---- the topology ---- */

struct topology *sw_topology_ref(struct topology *topology)
{
    atomic_fetch_add_explicit(&topology->refs_count, 1, memory_order_relaxed);
    return topology;
}

void sw_topology_unref(struct topology *topology)
{
    if (topology == NULL
        || atomic_fetch_sub_explicit(&topology->refs_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (unsigned i = 0; i < topology->members_count; i++) {
        sw_endpoint_unref(topology->members[i]);
    }
    for (unsigned i = 0; topology->texts != NULL && i < topology->count; i++) {
        sw_free((char *)topology->texts[i]);
    }
    sw_free(topology->members);
    sw_free(topology->member_of);
    sw_free(topology->texts);
    sw_ring_free(topology->ring);
    sw_free(topology);
}

static int by_dial(const void *key, const void *member)
{
    return strcmp(key, (*(struct endpoint *const *)member)->dial);
}

static struct endpoint **find_dial(const struct topology *topology, const char *dial)
{
    if (topology == NULL || topology->members_count == 0) {
        return NULL;
    }
    return bsearch(
        dial, topology->members, topology->members_count, sizeof(topology->members[0]), by_dial
    );
}

uint32_t sw_topology_find(const struct topology *topology, const struct endpoint *endpoint)
{
    struct endpoint **place = find_dial(topology, endpoint->dial);
    return place != NULL && *place == endpoint ? (uint32_t)(place - topology->members) : UINT32_MAX;
}

/* An address that was named, and where. */
struct named {
    char *dial;
    uint32_t text;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->dial, ((const struct named *)b)->dial);
}

// Backends that were there before stay the same, with their queues and connections. Takes dial.
static int add_member(struct balance *balance, struct topology *topology, char *dial)
{
    struct endpoint **known = find_dial(balance->topology, dial);
    struct endpoint *endpoint = NULL;
    int err = SW_OK;
    if (known != NULL) {
        endpoint = sw_endpoint_ref(*known);
        sw_free(dial);
    } else {
        err = endpoint_new(balance, dial, &endpoint);
    }
    if (err == SW_OK) {
        topology->members[topology->members_count++] = endpoint;
    }
    return err;
}

static int add_members(struct balance *balance, struct topology *topology, struct named *list)
{
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < topology->count; i++) {
        list[i] = (struct named){dial_of(topology->texts[i]), i};
        err = list[i].dial != NULL ? SW_OK : SW_E_NOMEM;
    }
    if (err == SW_OK && topology->count > 1) {
        qsort(list, topology->count, sizeof(list[0]), by_name);
    }
    for (unsigned i = 0; err == SW_OK && i < topology->count; i++) {
        unsigned count = topology->members_count;
        bool again = count > 0 && strcmp(topology->members[count - 1]->dial, list[i].dial) == 0;
        if (!again) {
            err = add_member(balance, topology, list[i].dial);
            list[i].dial = NULL;
        }
        topology->member_of[list[i].text] = again ? count - 1 : count;
    }
    for (unsigned i = 0; i < topology->count; i++) {
        sw_free(list[i].dial);
    }
    return err;
}

static int copy_texts(struct topology *topology, const char *const *texts)
{
    for (unsigned i = 0; i < topology->count; i++) {
        topology->texts[i] = sw_strdup(texts[i]);
        if (topology->texts[i] == NULL) {
            return SW_E_NOMEM;
        }
    }
    return SW_OK;
}

static int fill(struct balance *balance, struct topology *topology, const char *const *texts)
{
    unsigned count = topology->count;
    topology->texts = sw_zalloc(count * sizeof(topology->texts[0]));
    topology->member_of = sw_zalloc(count * sizeof(topology->member_of[0]));
    topology->members = sw_zalloc(count * sizeof(struct endpoint *));
    struct named *list = sw_zalloc(count * sizeof(*list));
    int err = SW_E_NOMEM;
    if (topology->texts != NULL && topology->member_of != NULL && topology->members != NULL
        && list != NULL) {
        err = copy_texts(topology, texts);
    }
    if (err == SW_OK) {
        err = add_members(balance, topology, list);
    }
    sw_free(list);
    if (err == SW_OK) {
        err = sw_ring_new(balance->generation, topology->texts, count, &topology->ring);
    }
    if (err == SW_OK) {
        err = sw_ring_digest(topology->ring, topology->texts, topology->digest);
    }
    return err;
}

static int topology_new(
    struct balance *balance,
    const char *const *texts,
    unsigned count,
    struct topology **ret_topology
)
{
    struct topology *topology = sw_zalloc(sizeof(*topology));
    if (topology == NULL) {
        return SW_E_NOMEM;
    }
    atomic_init(&topology->refs_count, 1);
    topology->known = true;
    topology->count = count;
    int err = fill(balance, topology, texts);
    if (err != SW_OK) {
        sw_topology_unref(topology);
        return err;
    }
    *ret_topology = topology;
    return SW_OK;
}

/* ---- telling ---- */

static void tell_ring(struct balance *balance)
{
    struct sw_label labels[] = {
        {"exporter", balance->id},
        {"generation", sw_ring_generation_text(balance->generation)},
        {"digest", balance->topology->digest},
    };
    struct sw_cell *cell = NULL;
    if (balance->ring_info != NULL) {
        sw_cell_set(balance->ring_info, 0);
    }
    // Without memory the page lacks a line.
    if (sw_cell_make(balance->metrics, balance->cores_count, &ring_family, labels, 3, &cell)
            == SW_OK
        && cell != NULL) {
        sw_cell_set(cell, 1);
    }
    balance->ring_info = cell;
}

static void deliver(struct sw_message *message, void *receiver)
{
    struct sw_core *core = receiver;
    struct link *link = (struct link *)message;
    struct topology *topology = link->topology;
    link->topology = NULL;
    link->failed = link->balance->apply(link->owner, topology) != SW_OK;
    sw_mailbox_return(core->mailbox, message);
}

static void send_topology(struct link *link)
{
    struct balance *balance = link->balance;
    link->stale = link->out;
    if (link->out) {
        return;
    }
    link->out = true;
    link->topology = sw_topology_ref(balance->topology);
    sw_mailbox_send(balance->discovery->mailbox, link->core, &link->message);
}

static void returned(struct sw_message *message, void *sender)
{
    struct link *link = (struct link *)message;
    link->out = false;
    if (link->stale) {
        send_topology(link);
    }
}

// Cores that had no memory for it.
static void send_again(struct balance *balance)
{
    for (unsigned i = 0; balance->discovery != NULL && i < balance->cores_count; i++) {
        struct link *link = &balance->links[i];
        if (!link->out && link->failed) {
            send_topology(link);
        }
    }
}

static bool is_same(const struct topology *topology, const char *const *texts, unsigned count)
{
    if (!topology->known || topology->count != count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(topology->texts[i], texts[i]) != 0) {
            return false;
        }
    }
    return true;
}

int sw_topology_change(struct balance *balance, const char **texts, unsigned count)
{
    struct topology *topology = NULL;
    sw_ring_sort(texts, count);
    if (balance->topology != NULL && is_same(balance->topology, texts, count)) {
        send_again(balance);
        return SW_OK;
    }
    int err = topology_new(balance, texts, count, &topology);
    if (err != SW_OK) {
        return err; // the next answer is another chance
    }
    sw_topology_unref(balance->topology);
    balance->topology = topology;
    sw_count(balance->updates, 1);
    if (balance->backends != NULL) {
        sw_cell_set(balance->backends, count);
    }
    tell_ring(balance);
    for (unsigned i = 0; balance->discovery != NULL && i < balance->cores_count; i++) {
        send_topology(&balance->links[i]);
    }
    return SW_OK;
}

/* ---- resolvers ---- */

static void free_texts(const char **texts, unsigned count)
{
    for (unsigned i = 0; texts != NULL && i < count; i++) {
        sw_free((char *)texts[i]);
    }
    sw_free(texts);
}

// An IPv4-mapped address, "[::ffff:10.0.0.1]", is told as IPv4 by Go.
char *sw_loadbalancing_endpoint(const struct sw_resolver_dns_conf *conf, const char *address)
{
    static const char mapped[] = "[::ffff:";
    int len = (int)strlen(address);
    if (strncmp(address, mapped, sizeof(mapped) - 1) == 0 && strchr(address, '.') != NULL) {
        address += sizeof(mapped) - 1;
        len -= (int)sizeof(mapped);
    }
    size_t size = (size_t)len + strlen(conf->port_text) + 2;
    char *text = sw_alloc(size);
    if (text != NULL) {
        const char *colon = conf->port_text[0] != '\0' ? ":" : "";
        snprintf(text, size, "%.*s%s%s", len, address, colon, conf->port_text);
    }
    return text;
}

// What failed leaves the last good list in force.
static void answered(
    struct sw_discovery_watch *watch,
    int err,
    const char *const *addresses,
    unsigned count,
    unsigned left_out
)
{
    struct balance *balance = SW_CONTAINER_OF(watch, struct balance, watch);
    sw_count(balance->resolutions[err == SW_OK], 1);
    if (err != SW_OK) {
        if (!balance->topology->known) {
            // Nothing is waited for any longer: requests fail until there is an answer.
            struct topology *empty = NULL;
            if (topology_new(balance, NULL, 0, &empty) == SW_OK) {
                sw_topology_unref(balance->topology);
                balance->topology = empty;
                for (unsigned i = 0; i < balance->cores_count; i++) {
                    send_topology(&balance->links[i]);
                }
            }
        }
        return;
    }
    if (left_out > 0) {
        sw_count(balance->left_out, left_out);
    }
    const char **texts = sw_zalloc(count * sizeof(*texts));
    bool made = texts != NULL;
    for (unsigned i = 0; made && i < count; i++) {
        texts[i] = sw_loadbalancing_endpoint(balance->conf->resolver.dns, addresses[i]);
        made = texts[i] != NULL;
    }
    if (made) {
        (void)!sw_topology_change(balance, texts, count);
    }
    free_texts(texts, count);
}

static int begin_static(struct balance *balance)
{
    const struct sw_list *list = &balance->conf->resolver.static_list->hostnames;
    const char **texts = sw_alloc(list->count * sizeof(*texts));
    if (texts == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < list->count; i++) {
        texts[i] = SW_LIST_AT(*list, const char *, i);
    }
    int err = sw_topology_change(balance, texts, (unsigned)list->count);
    sw_count(balance->resolutions[1], 1);
    sw_free(texts);
    return err;
}

static int begin_dns(struct balance *balance, const struct sw_stage_env *env)
{
    const struct sw_resolver_dns_conf *conf = balance->conf->resolver.dns;
    int err = topology_new(balance, NULL, 0, &balance->topology);
    if (err != SW_OK || env->discovery == NULL) {
        return err;
    }
    balance->topology->known = false;
    balance->watch = (struct sw_discovery_watch){
        .hostname = conf->hostname,
        .interval_ns = (uint64_t)conf->interval_ns,
        .timeout_ns = (uint64_t)conf->timeout_ns,
        .answered = answered,
    };
    err = env->discovery->ops->begin(env->discovery, &balance->watch);
    balance->discovery = err == SW_OK ? env->discovery : NULL;
    return err;
}

static int make_cells(struct balance *balance)
{
    static const char *const words[] = {"false", "true"};
    struct sw_label labels[] = {{"resolver", balance->resolver_name}, {"success", NULL}};
    struct sw_metrics *metrics = balance->metrics;
    unsigned control = balance->cores_count;
    int err = SW_OK;
    if (balance->quiet) {
        metrics = NULL;
    }
    for (unsigned i = 0; err == SW_OK && i < 2; i++) {
        labels[1].value = words[i];
        err = sw_cell_make(
            metrics, control, &resolutions_family, labels, 2, &balance->resolutions[i]
        );
    }
    if (err == SW_OK) {
        err = sw_cell_make(metrics, control, &backends_family, labels, 1, &balance->backends);
    }
    if (err == SW_OK) {
        err = sw_cell_make(metrics, control, &updates_family, labels, 1, &balance->updates);
    }
    labels[0] = (struct sw_label){"exporter", balance->id};
    if (err == SW_OK) {
        err = sw_cell_make(metrics, control, &left_out_family, labels, 1, &balance->left_out);
    }
    return err;
}

int sw_topology_begin(struct balance *balance, const struct sw_stage_env *env)
{
    int err = make_cells(balance);
    balance->links = sw_zalloc(balance->cores_count * sizeof(balance->links[0]));
    if (balance->links == NULL) {
        err = SW_E_NOMEM;
    }
    for (unsigned i = 0; err == SW_OK && i < balance->cores_count; i++) {
        balance->links[i] = (struct link){
            .message = {.deliver = deliver, .returned = returned},
            .balance = balance,
            .core = i,
        };
    }
    if (err != SW_OK) {
        return err;
    }
    return balance->conf->resolver.dns != NULL ? begin_dns(balance, env) : begin_static(balance);
}

void sw_topology_end(struct balance *balance)
{
    if (balance->discovery != NULL) {
        balance->discovery->ops->end(balance->discovery, &balance->watch);
    }
    for (unsigned i = 0; balance->links != NULL && i < balance->cores_count; i++) {
        sw_topology_unref(balance->links[i].topology); // never arrived: the core has stopped
    }
    sw_free(balance->links);
    sw_topology_unref(balance->topology);
}
