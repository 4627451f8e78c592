/* `spanweir route`: which backend owns a trace, and what a change of the backends moves. */
#include "control/discover/discover.h"
#include "control/service/service.h"
#include "dataplane/balance/loadbalancing_exporter.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TRACE_ID_BYTES 16

/* The backends of one exporter, as they are now. */
struct map {
    const char *id;
    const char **texts;
    unsigned count;
    struct sw_ring *ring;
    const struct sw_resolver_dns_conf *dns;
    struct sw_discovery_watch watch;
    bool answered;
    int err;
};

static void map_fini(struct map *map)
{
    for (unsigned i = 0; map->texts != NULL && i < map->count; i++) {
        sw_free((char *)map->texts[i]);
    }
    sw_free(map->texts);
    sw_ring_free(map->ring);
}

static int take_texts(struct map *map, unsigned count)
{
    map->texts = sw_zalloc(count * sizeof(map->texts[0]));
    map->count = map->texts != NULL ? count : 0;
    return map->texts != NULL ? SW_OK : SW_E_NOMEM;
}

static void answered(
    struct sw_discovery_watch *watch,
    int err,
    const char *const *addresses,
    unsigned count,
    unsigned left_out
)
{
    struct map *map = SW_CONTAINER_OF(watch, struct map, watch);
    map->answered = true;
    map->err = err == SW_OK ? take_texts(map, count) : err;
    for (unsigned i = 0; map->err == SW_OK && i < count; i++) {
        map->texts[i] = sw_loadbalancing_endpoint(map->dns, addresses[i]);
        map->err = map->texts[i] != NULL ? SW_OK : SW_E_NOMEM;
    }
}

static int look_up(struct map *map)
{
    const struct sw_discover_conf conf = {.servers = NULL};
    struct sw_discovery *discovery = NULL;
    int err = sw_discover_new(&conf, &discovery);
    if (err != SW_OK) {
        return err;
    }
    map->watch = (struct sw_discovery_watch){
        .hostname = map->dns->hostname,
        .interval_ns = (uint64_t)map->dns->interval_ns,
        .timeout_ns = (uint64_t)map->dns->timeout_ns,
        .answered = answered,
    };
    err = discovery->ops->begin(discovery, &map->watch);
    struct pollfd fd = {.fd = sw_discover_fd(discovery), .events = POLLIN};
    while (err == SW_OK && !map->answered) {
        sw_discover_poll(discovery, sw_clock_ns());
        if (!map->answered) {
            poll(&fd, 1, 50);
        }
    }
    if (err == SW_OK) {
        discovery->ops->end(discovery, &map->watch);
        err = map->err;
    }
    sw_discover_free(discovery);
    return err;
}

static int read_list(struct map *map, const struct sw_list *hostnames)
{
    int err = take_texts(map, (unsigned)hostnames->count);
    for (size_t i = 0; err == SW_OK && i < hostnames->count; i++) {
        map->texts[i] = sw_strdup(SW_LIST_AT(*hostnames, const char *, i));
        err = map->texts[i] != NULL ? SW_OK : SW_E_NOMEM;
    }
    return err;
}

static int make_map(
    const struct sw_conf_component *component,
    const struct sw_appliance *appliance,
    struct map *map
)
{
    const struct sw_loadbalancing_exporter_conf *conf = component->conf;
    enum sw_ring_generation generation;
    *map = (struct map){.id = component->id, .dns = conf->resolver.dns};
    int err = sw_loadbalancing_generation(
        sw_appliance_find(appliance, "exporter", component->id), &generation
    );
    if (err == SW_OK && conf->resolver.static_list != NULL) {
        err = read_list(map, &conf->resolver.static_list->hostnames);
    } else if (err == SW_OK && conf->resolver.dns != NULL) {
        err = look_up(map);
    } else if (err == SW_OK) {
        err = SW_E_UNSUPPORTED;
    }
    if (err == SW_OK) {
        sw_ring_sort(map->texts, map->count);
        err = sw_ring_new(generation, map->texts, map->count, &map->ring);
    }
    if (err != SW_OK) {
        fprintf(
            stderr, "Error: %s: the backends are not known: %s\n", component->id, sw_err_text(err)
        );
    }
    return err;
}

static bool is_balancer(const struct sw_conf_component *component)
{
    return component->component == &sw_loadbalancing_exporter;
}

static bool parse_trace_id(const char *text, uint8_t ret_id[TRACE_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != (size_t)2 * TRACE_ID_BYTES) {
        return false;
    }
    for (unsigned i = 0; i < 2 * TRACE_ID_BYTES; i++) {
        char digit = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
        const char *at = strchr(digits, digit);
        if (at == NULL || digit == '\0') {
            return false;
        }
        unsigned value = (unsigned)(at - digits);
        ret_id[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : ret_id[i / 2] | value);
    }
    return true;
}

static int name_owner(
    const struct sw_conf_component *component,
    const struct sw_appliance *appliance,
    const uint8_t id[TRACE_ID_BYTES]
)
{
    const struct sw_loadbalancing_exporter_conf *conf = component->conf;
    char digest[SW_RING_DIGEST_TEXT];
    struct map map;
    if (sw_loadbalancing_key(conf->routing_key, SW_FOR_TRACES) != SW_ROUTE_TRACE_ID) {
        printf("%s: traces are routed by %s, not by trace ID\n", component->id, conf->routing_key);
        return SW_OK;
    }
    int err = make_map(component, appliance, &map);
    if (err == SW_OK) {
        err = sw_ring_digest(map.ring, map.texts, digest);
    }
    if (err == SW_OK && map.count == 0) {
        printf("%s: there are no backends\n", component->id);
    } else if (err == SW_OK) {
        uint32_t position = sw_ring_position(map.ring, id, TRACE_ID_BYTES);
        printf(
            "%s: %s (position %u of ring %s, %u endpoints, digest %s)\n",
            component->id,
            map.texts[sw_ring_owner(map.ring, position)],
            position,
            sw_ring_generation_text(map.ring->generation),
            map.count,
            digest
        );
    }
    map_fini(&map);
    return err;
}

// Keys are spread evenly over the positions, so their share is that of the positions.
static int name_share(
    const struct sw_conf_component *component,
    const struct sw_conf_component *then,
    const struct sw_appliance *appliance
)
{
    struct map old;
    struct map new = {.count = 0};
    uint32_t moved = 0;
    int err = make_map(component, appliance, &old);
    if (err == SW_OK) {
        err = make_map(then, appliance, &new);
    }
    if (err == SW_OK && (old.count == 0 || new.count == 0)) {
        printf("%s: there are no backends\n", component->id);
    } else if (err == SW_OK) {
        for (uint32_t at = 0; at < old.ring->positions_count; at++) {
            const char *was = old.texts[sw_ring_owner(old.ring, at)];
            moved += strcmp(was, new.texts[sw_ring_owner(new.ring, at)]) != 0;
        }
        printf(
            "%s: %.2f %% of all traces move (%u endpoints before, %u after, ring %s)\n",
            component->id,
            100.0 * moved / old.ring->positions_count,
            old.count,
            new.count,
            sw_ring_generation_text(old.ring->generation)
        );
    }
    map_fini(&old);
    map_fini(&new);
    return err;
}

int sw_service_route(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    const char *trace_id,
    const struct sw_conf *other
)
{
    uint8_t id[TRACE_ID_BYTES];
    unsigned count = 0;
    int failed = 0;
    if (trace_id != NULL && !parse_trace_id(trace_id, id)) {
        fprintf(stderr, "Error: a trace ID has 32 hex digits: \"%s\"\n", trace_id);
        return 2;
    }
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *component = &conf->components[i];
        if (component->kind != SW_EXPORTER || !is_balancer(component)) {
            continue;
        }
        count++;
        if (trace_id != NULL) {
            failed |= name_owner(component, appliance, id) != SW_OK;
            continue;
        }
        const struct sw_conf_component *then = sw_conf_find(other, SW_EXPORTER, component->id);
        if (then == NULL || !is_balancer(then)) {
            fprintf(
                stderr, "Error: %s: the other configuration has no such exporter\n", component->id
            );
            failed = 1;
        } else {
            failed |= name_share(component, then, appliance) != SW_OK;
        }
    }
    if (count == 0) {
        fprintf(stderr, "Error: the configuration has no load_balancing exporter\n");
    }
    return failed != 0 || count == 0 ? 1 : 0;
}
