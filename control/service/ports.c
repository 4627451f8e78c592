/* Ports of the control thread: pages of our own metrics, one per reader, and the extensions
 * health_check and zpages. */
#include "control/service/observe_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/version.h"
#include "storage/journal/file_storage_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The Collector's Prometheus reader: read 5 s, write 10 s, idle 120 s.
#define PAGE_READ_NS         (5 * SW_NS_PER_S)
#define PAGE_WRITE_NS        (10 * SW_NS_PER_S)
#define PAGE_IDLE_NS         (120 * SW_NS_PER_S)
#define PAGE_CONNECTIONS_MAX 64

// A server that has more to do at once than this waits for the next tick.
#define ROUNDS_MAX 16

static void port_turn(struct observer_port *port)
{
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        uint64_t now_ns = sw_clock_ns();
        port->next_ns = port->poll(port->server, now_ns);
        if (port->next_ns > now_ns) {
            break;
        }
    }
}

static void port_ready(struct sw_watch *watch)
{
    port_turn(SW_CONTAINER_OF(watch, struct observer_port, watch));
}

static int port_open(struct service *service, struct observer_port *port, int fd)
{
    port->watch.fd = fd;
    port->watch.ready = port_ready;
    return sw_watch_add(service->watch_set, &port->watch);
}

static void port_tick(struct observer_port *port, uint64_t now_ns)
{
    if (port->watch.fd >= 0 && port->next_ns <= now_ns) {
        port_turn(port);
    }
}

/* ---- pages ---- */

static uint64_t poll_page(void *server, uint64_t now_ns)
{
    return sw_admin_server_poll(server, now_ns);
}

static void refresh_page(void *context)
{
    struct observer *observer = context;
    sw_process_metrics_refresh(observer->process, sw_clock_ns());
    if (observer->books != NULL) {
        sw_observer_books_refresh(observer->books);
    }
}

static int listen_page(
    struct observer_page *page,
    const struct sw_pull_reader_conf *reader,
    char *address,
    size_t address_size,
    char *error,
    size_t error_size
)
{
    struct sw_addr addr;
    bool is_v6 = strchr(reader->host, ':') != NULL;
    int err = sw_endpoint_resolve(reader->host, reader->port, &addr);
    if (err == SW_OK) {
        uint16_t port;
        err = sw_admin_server_listen(page->server, &addr, &port);
        snprintf(address, address_size, is_v6 ? "[%s]:%u" : "%s:%u", reader->host, (unsigned)port);
    }
    if (err != SW_OK) {
        snprintf(
            error,
            error_size,
            is_v6 ? "metrics page: listen tcp [%s]:%u: bind: %s"
                  : "metrics page: listen tcp %s:%u: bind: %s",
            reader->host,
            (unsigned)reader->port,
            err == SW_E_NOT_FOUND ? "no such host" : strerror(errno)
        );
    }
    return err;
}

static int open_page(
    struct service *service,
    struct observer_page *page,
    const struct sw_pull_reader_conf *reader,
    char *error,
    size_t error_size
)
{
    static const char *const levels[] = {"None", "Basic", "Normal", "Detailed"};
    struct observer *observer = service->observer;
    int level = service->conf->service.telemetry.metrics.level;
    char address[300];
    page->page = (struct sw_page){
        .metrics = service->metrics,
        .reader = reader,
        .resource = observer->resource,
        .level = level,
        .refresh = refresh_page,
        .context = observer,
    };
    struct sw_admin_conf conf = {
        .read_timeout_ns = PAGE_READ_NS,
        .write_timeout_ns = PAGE_WRITE_NS,
        .idle_timeout_ns = PAGE_IDLE_NS,
        .connections_max = PAGE_CONNECTIONS_MAX,
        .handle = sw_page_handle,
        .context = &page->page,
    };
    int err = sw_admin_server_new(&conf, &page->server);
    if (err == SW_OK) {
        err = listen_page(page, reader, address, sizeof(address), error, error_size);
    }
    if (err == SW_OK) {
        page->port.poll = poll_page;
        page->port.server = page->server;
        err = port_open(service, &page->port, sw_admin_server_fd(page->server));
    }
    if (err == SW_OK) {
        struct sw_log_field fields[] = {
            sw_log_text("address", address),
            sw_log_text("metrics level", levels[level]),
        };
        sw_observe_log(
            service, SW_LOG_INFO, SW_LOG_HERE, "Serving metrics", fields, SW_ARRAY_SIZE(fields)
        );
    }
    return err;
}

static int open_pages(struct service *service, char *error, size_t error_size)
{
    struct observer *observer = service->observer;
    const struct sw_service_conf *conf = &service->conf->service;
    const struct sw_list *readers = &conf->telemetry.metrics.readers;
    if (conf->telemetry.metrics.level == SW_METRICS_NONE || readers->count == 0) {
        return SW_OK;
    }
    observer->pages = sw_zalloc(readers->count * sizeof(*observer->pages));
    if (observer->pages == NULL) {
        return SW_E_NOMEM;
    }
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < readers->count; i++) {
        const struct sw_reader_conf *reader = &SW_LIST_AT(*readers, struct sw_reader_conf, i);
        if (!reader->pull.enabled || !reader->pull.exporter.prometheus.enabled) {
            continue;
        }
        struct observer_page *page = &observer->pages[observer->pages_count++];
        page->port.watch.fd = -1;
        err = open_page(service, page, &reader->pull.exporter.prometheus.page, error, error_size);
    }
    return err;
}

/* ---- extensions ---- */

static uint64_t poll_health(void *server, uint64_t now_ns)
{
    return sw_health_check_poll(server, now_ns);
}

static uint64_t poll_zpages(void *server, uint64_t now_ns)
{
    return sw_zpages_poll(server, now_ns);
}

static int listen_health(void *server, const struct sw_addr *addr)
{
    return sw_health_check_listen(server, addr, NULL);
}

static int listen_zpages(void *server, const struct sw_addr *addr)
{
    return sw_zpages_listen(server, addr, NULL);
}

static int listen_extension(
    void *server,
    int (*listen)(void *server, const struct sw_addr *addr),
    const char *id,
    const char *endpoint,
    char *error,
    size_t error_size
)
{
    char host[256];
    uint16_t port;
    struct sw_addr addr;
    const char *why = "host:port expected";
    int err = sw_endpoint_split(endpoint, host, sizeof(host), &port);
    if (err == SW_OK) {
        err = sw_endpoint_resolve(host, port, &addr);
        why = "no such host";
    }
    if (err == SW_OK) {
        err = listen(server, &addr);
        why = strerror(errno);
    }
    if (err != SW_OK) {
        snprintf(
            error,
            error_size,
            "failed to start extension \"%s\": failed to bind to address %s: listen tcp %s: bind: "
            "%s",
            id,
            endpoint,
            endpoint,
            why
        );
    }
    return err;
}

static void tell_extension(
    struct service *service,
    const struct sw_conf_component *extension,
    const char *place
)
{
    char message[64];
    struct sw_log_field fields[] = {
        sw_log_text("otelcol.component.id", extension->id),
        sw_log_text("otelcol.component.kind", "extension"),
        sw_log_text("endpoint", place),
    };
    snprintf(message, sizeof(message), "Starting %s extension", extension->component->type);
    sw_observe_log(service, SW_LOG_INFO, SW_LOG_HERE, message, fields, SW_ARRAY_SIZE(fields));
}

static int open_health(
    struct service *service,
    const struct sw_conf_component *extension,
    char *error,
    size_t error_size
)
{
    struct observer *observer = service->observer;
    struct observer_health *slot = &observer->healths[observer->healths_count++];
    const struct sw_health_check_conf *conf = extension->conf;
    const char *endpoint = conf->server.endpoint;
    slot->port.watch.fd = -1;
    slot->id = extension->id;
    int err = sw_health_check_new(conf, &slot->health);
    if (err == SW_OK) {
        err = listen_extension(slot->health, listen_health, slot->id, endpoint, error, error_size);
    }
    if (err == SW_OK) {
        slot->port.poll = poll_health;
        slot->port.server = slot->health;
        err = port_open(service, &slot->port, sw_health_check_fd(slot->health));
    }
    if (err == SW_OK) {
        tell_extension(service, extension, endpoint);
    }
    return err;
}

static int open_zpages(
    struct service *service,
    const struct sw_conf_component *extension,
    char *error,
    size_t error_size
)
{
    struct observer *observer = service->observer;
    struct observer_zpages *slot = &observer->zpages[observer->zpages_count++];
    const struct sw_zpages_conf *conf = extension->conf;
    const char *endpoint = conf->server.endpoint;
    struct sw_zpages_view view = {
        .conf = service->conf,
        .version = SW_VERSION,
        .workers_count = service->cores_count,
        .started_wall_ns = sw_clock_wall_ns(),
    };
    slot->port.watch.fd = -1;
    int err = sw_zpages_new(conf, &view, &slot->zpages);
    if (err == SW_OK) {
        err = listen_extension(
            slot->zpages, listen_zpages, extension->id, endpoint, error, error_size
        );
    }
    if (err == SW_OK) {
        slot->port.poll = poll_zpages;
        slot->port.server = slot->zpages;
        err = port_open(service, &slot->port, sw_zpages_fd(slot->zpages));
    }
    if (err == SW_OK) {
        tell_extension(service, extension, endpoint);
    }
    return err;
}

static int open_extension(
    struct service *service,
    const struct sw_conf_component *extension,
    char *error,
    size_t error_size
)
{
    if (extension->component == &sw_health_check) {
        return open_health(service, extension, error, error_size);
    }
    if (extension->component == &sw_zpages) {
        return open_zpages(service, extension, error, error_size);
    }
    if (extension->component == &sw_pprof) {
        return SW_OK; // the load has warned that it does nothing
    }
    if (extension->component == &sw_file_storage) {
        return SW_OK; // no port: stores.c
    }
    snprintf(error, error_size, "extension %s: is not supported yet", extension->id);
    return SW_E_UNSUPPORTED;
}

static int open_extensions(struct service *service, char *error, size_t error_size)
{
    struct observer *observer = service->observer;
    const struct sw_conf *conf = service->conf;
    observer->healths = sw_zalloc(conf->extensions_count * sizeof(*observer->healths));
    observer->zpages = sw_zalloc(conf->extensions_count * sizeof(*observer->zpages));
    if (observer->healths == NULL || observer->zpages == NULL) {
        return SW_E_NOMEM;
    }
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < conf->extensions_count; i++) {
        err = open_extension(service, conf->extensions[i], error, error_size);
    }
    return err;
}

/* ---- all of them ---- */

int sw_observer_ports_open(struct service *service, char *error, size_t error_size)
{
    int err = open_pages(service, error, error_size);
    return err == SW_OK ? open_extensions(service, error, error_size) : err;
}

void sw_observer_ports_close(struct service *service)
{
    struct observer *observer = service->observer;
    for (unsigned i = 0; i < observer->healths_count; i++) {
        sw_watch_remove(service->watch_set, &observer->healths[i].port.watch);
        sw_health_check_free(observer->healths[i].health);
    }
    for (unsigned i = 0; i < observer->zpages_count; i++) {
        sw_watch_remove(service->watch_set, &observer->zpages[i].port.watch);
        sw_zpages_free(observer->zpages[i].zpages);
    }
    for (unsigned i = 0; i < observer->pages_count; i++) {
        sw_watch_remove(service->watch_set, &observer->pages[i].port.watch);
        sw_admin_server_free(observer->pages[i].server);
    }
    sw_free(observer->healths);
    sw_free(observer->zpages);
    sw_free(observer->pages);
    observer->healths = NULL;
    observer->healths_count = 0;
    observer->zpages = NULL;
    observer->zpages_count = 0;
    observer->pages = NULL;
    observer->pages_count = 0;
}

void sw_observer_ports_tick(struct observer *observer, uint64_t now_ns)
{
    for (unsigned i = 0; i < observer->pages_count; i++) {
        port_tick(&observer->pages[i].port, now_ns);
    }
    for (unsigned i = 0; i < observer->zpages_count; i++) {
        port_tick(&observer->zpages[i].port, now_ns);
    }
    for (unsigned i = 0; i < observer->healths_count; i++) {
        port_tick(&observer->healths[i].port, now_ns);
    }
}
