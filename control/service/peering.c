#include "control/service/peering.h"

#include "dataplane/base/mem.h"
#include "dataplane/receive/otlp_receiver_conf.h"
#include "sampling/verdict/tail_sampling_conf.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A machine with more addresses than that names its own in peers.self.
#define SELF_MAX  256u
#define PORTS_MAX 16u

struct sw_peering {
    struct sw_peers_conf conf;
    struct sw_peers_self self[SELF_MAX];
    uint16_t ports[PORTS_MAX]; // of our receivers
    unsigned ports_count;
};

const struct sw_peers_conf *sw_peering_conf(const struct sw_peering *peering)
{
    return &peering->conf;
}

bool sw_peering_concerns(const struct sw_conf_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->processors_count; i++) {
        if (pipeline->processors[i]->component == &sw_tail_sampling) {
            return true;
        }
    }
    return false;
}

void sw_peering_free(struct sw_peering *peering)
{
    for (unsigned i = 0; peering != NULL && i < peering->conf.self_count; i++) {
        sw_free((char *)peering->self[i].host);
    }
    sw_free(peering);
}

static int add(struct sw_peering *peering, const char *host, size_t len, uint16_t port, bool domain)
{
    if (peering->conf.self_count == SELF_MAX) {
        return SW_OK;
    }
    char *copy = sw_strndup(host, len);
    if (copy == NULL) {
        return SW_E_NOMEM;
    }
    peering->self[peering->conf.self_count++] =
        (struct sw_peers_self){.host = copy, .port = port, .domain = domain};
    return SW_OK;
}

static int add_with_ports(struct sw_peering *peering, const char *host, bool domain)
{
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < peering->ports_count; i++) {
        err = add(peering, host, strlen(host), peering->ports[i], domain);
    }
    return err;
}

static void find_ports(struct sw_peering *peering, const struct sw_conf *conf)
{
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *component = &conf->components[i];
        const struct sw_otlp_receiver_conf *receiver = component->conf;
        if (component->component != &sw_otlp_receiver || !component->used
            || !receiver->protocols.grpc.enabled
            || receiver->protocols.grpc.transport == SW_TRANSPORT_UNIX) {
            continue;
        }
        const char *colon = strrchr(receiver->protocols.grpc.endpoint, ':');
        if (colon != NULL && peering->ports_count < PORTS_MAX) {
            peering->ports[peering->ports_count++] = (uint16_t)strtoul(colon + 1, NULL, 10);
        }
    }
}

// As it stands on the ring, where DNS answers are written in this form too.
static bool address_text(const struct ifaddrs *address, char *text, size_t size)
{
    char plain[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "";
    const struct sockaddr *any = address->ifa_addr;
    if (any != NULL && any->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)any;
        return inet_ntop(AF_INET, &in->sin_addr, text, (socklen_t)size) != NULL;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)any;
    if (any == NULL || any->sa_family != AF_INET6
        || inet_ntop(AF_INET6, &in6->sin6_addr, plain, sizeof(plain)) == NULL) {
        return false;
    }
    if (in6->sin6_scope_id != 0) {
        snprintf(zone, sizeof(zone), "%%%.*s", IF_NAMESIZE - 1, address->ifa_name);
    }
    snprintf(text, size, "[%s%s]", plain, zone);
    return true;
}

static int add_addresses(struct sw_peering *peering)
{
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 4];
    struct ifaddrs *addresses = NULL;
    int err = SW_OK;
    if (getifaddrs(&addresses) != 0) {
        return SW_E_SYSTEM;
    }
    for (const struct ifaddrs *at = addresses; err == SW_OK && at != NULL; at = at->ifa_next) {
        if (address_text(at, text, sizeof(text))) {
            err = add_with_ports(peering, text, false);
        }
    }
    freeifaddrs(addresses);
    return err;
}

static int add_name(struct sw_peering *peering)
{
    char name[HOST_NAME_MAX + 1];
    if (gethostname(name, sizeof(name)) != 0) {
        return SW_OK; // it has none
    }
    name[sizeof(name) - 1] = '\0';
    return add_with_ports(peering, name, true);
}

// host, host:port, [v6], [v6]:port.
static int add_written(struct sw_peering *peering, const char *text)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
    size_t len = strlen(text);
    unsigned long port = 0;
    if (end != NULL && text[0] == '[') {
        end++;
    }
    if (end != NULL && *end == ':') {
        len = (size_t)(end - text);
        port = strtoul(end + 1, NULL, 10);
    }
    return add(peering, text, len, (uint16_t)(port <= UINT16_MAX ? port : 0), false);
}

static int
find_self(struct sw_peering *peering, const struct sw_conf *conf, const struct sw_list *self)
{
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < self->count; i++) {
        err = add_written(peering, SW_LIST_AT(*self, const char *, i));
    }
    if (self->count > 0) {
        return err;
    }
    find_ports(peering, conf);
    err = add_addresses(peering);
    return err == SW_OK ? add_name(peering) : err;
}

int sw_peering_new(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    struct sw_peering **ret_peering
)
{
    struct sw_peering *peering = sw_zalloc(sizeof(*peering));
    if (peering == NULL) {
        return SW_E_NOMEM;
    }
    peering->conf = (struct sw_peers_conf){
        .hostnames = appliance->peers.hostnames,
        .dns_hostname = appliance->peers.dns.hostname,
        .dns_port = appliance->peers.dns.port,
        .dns_interval_ns = appliance->peers.dns.interval_ns,
        .dns_timeout_ns = appliance->peers.dns.timeout_ns,
        .self = peering->self,
        .generation = (enum sw_ring_generation)appliance->peers.generation,
        .timeout_ns = appliance->peers.timeout_ns,
    };
    int err = find_self(peering, conf, &appliance->peers.self);
    if (err != SW_OK) {
        sw_peering_free(peering);
        return err;
    }
    *ret_peering = peering;
    return SW_OK;
}
