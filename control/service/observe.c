/* The log of the process, and what the cores have to tell in it. */
#include "control/service/observe_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/version.h"

#include <stdio.h>
#include <string.h>

// Of one core in one tick: a core that talks without end must not keep control from its work.
#define EVENTS_PER_TICK 1024u

static const char service_name[] = "spanweir";

int sw_observe_new(struct service *service, char *error, size_t error_size)
{
    const struct sw_service_conf *conf = &service->conf->service;
    struct observer *observer = sw_zalloc(sizeof(*observer));
    if (observer == NULL) {
        return SW_E_NOMEM;
    }
    service->observer = observer;
    int err =
        sw_resource_new(&conf->telemetry.resource, service_name, SW_VERSION, &observer->resource);
    if (err == SW_OK) {
        err = sw_log_new(conf, observer->resource, &observer->log, error, error_size);
    }
    if (err == SW_OK) {
        err = sw_process_metrics_new(service->metrics, sw_clock_ns(), &observer->process);
    }
    return err;
}

void sw_observe_free(struct service *service)
{
    struct observer *observer = service->observer;
    if (observer == NULL) {
        return;
    }
    sw_observe_close(service);
    sw_process_metrics_free(observer->process);
    sw_log_free(observer->log);
    sw_resource_free(observer->resource);
    sw_free(observer);
    service->observer = NULL;
}

int sw_observe_open(struct service *service, char *error, size_t error_size)
{
    return sw_observer_ports_open(service, error, error_size);
}

int sw_observe_pipelines(struct service *service)
{
    return sw_observer_books_new(service);
}

void sw_observe_close(struct service *service)
{
    struct observer *observer = service->observer;
    if (observer != NULL) {
        sw_observer_ports_close(service);
        sw_observer_books_free(observer->books);
        observer->books = NULL;
    }
}

void sw_observe_ready(struct service *service, bool ready)
{
    struct observer *observer = service->observer;
    for (unsigned i = 0; i < observer->healths_count; i++) {
        struct observer_health *health = &observer->healths[i];
        sw_health_check_set_ready(health->health, ready, sw_clock_ns(), sw_clock_wall_ns());
        struct sw_log_field fields[] = {
            sw_log_text("otelcol.component.id", health->id),
            sw_log_text("otelcol.component.kind", "extension"),
            sw_log_text("status", ready ? "ready" : "unavailable"),
        };
        sw_observe_log(
            service,
            SW_LOG_INFO,
            SW_LOG_HERE,
            "Health Check state change",
            fields,
            SW_ARRAY_SIZE(fields)
        );
    }
}

void sw_observe_log(
    struct service *service,
    enum sw_log_level level,
    const char *caller,
    const char *message,
    const struct sw_log_field *fields,
    unsigned fields_count
)
{
    if (service->observer == NULL || service->observer->log == NULL) {
        return;
    }
    struct sw_log_line line = {
        .wall_ns = sw_clock_wall_ns(),
        .level = level,
        .caller = caller,
        .message = message,
        .fields = fields,
        .fields_count = fields_count,
    };
    sw_log_write(service->observer->log, &line);
}

/* ---- events of the cores ---- */

static enum sw_log_level level_of(enum sw_event_level level)
{
    switch (level) {
    case SW_EVENT_DEBUG:
        return SW_LOG_DEBUG;
    case SW_EVENT_INFO:
        return SW_LOG_INFO;
    case SW_EVENT_WARN:
        return SW_LOG_WARN;
    case SW_EVENT_ERROR:
        break;
    }
    return SW_LOG_ERROR;
}

// Kind and type of the component, since an event does not know its line: "exporter/otlp".
static void caller_of(const struct sw_event *event, char *text, size_t size)
{
    const char *kind = event->kind->component_kind;
    const char *id = event->id != NULL ? event->id : "";
    snprintf(
        text,
        size,
        "%s%s%.*s",
        kind != NULL ? kind : "",
        kind != NULL && id[0] != '\0' ? "/" : "",
        (int)strcspn(id, "/"),
        id
    );
}

static void log_event(struct observer *observer, const struct sw_event *event)
{
    const struct sw_event_kind *kind = event->kind;
    struct sw_log_field fields[7];
    unsigned count = 0;
    if (event->id != NULL) {
        fields[count++] = sw_log_text("otelcol.component.id", event->id);
    }
    if (kind->component_kind != NULL) {
        fields[count++] = sw_log_text("otelcol.component.kind", kind->component_kind);
    }
    if (event->signal != NULL) {
        fields[count++] = sw_log_text("otelcol.signal", event->signal);
    }
    if (kind->text_key != NULL) {
        fields[count++] = sw_log_text_of_len(kind->text_key, event->text, event->text_len);
    }
    if (kind->count_key != NULL) {
        fields[count++] = sw_log_integer(kind->count_key, event->count);
    }
    if (kind->second_key != NULL) {
        fields[count++] = sw_log_integer(kind->second_key, event->second);
    }
    if (kind->items_key != NULL) {
        fields[count++] = sw_log_integer(kind->items_key, event->items);
    }
    char caller[128];
    caller_of(event, caller, sizeof(caller));
    struct sw_log_line line = {
        .wall_ns = event->wall_ns,
        .level = level_of(kind->level),
        .caller = caller,
        .message = kind->message,
        .fields = fields,
        .fields_count = count,
    };
    if (kind->message == NULL) {
        const struct sw_buf *text = event->message;
        line.message = text != NULL && text->size > 0 ? (const char *)text->data : "";
        line.message_len = text != NULL ? text->size : 0;
        line.is_data = true;
    }
    sw_log_write(observer->log, &line);
}

static void tell_lost_events(struct service *service, unsigned core)
{
    struct observer *observer = service->observer;
    uint64_t lost = sw_events_lost(sw_worker_events(service->workers[core]));
    if (lost == observer->events_lost[core]) {
        return;
    }
    struct sw_log_field fields[] = {
        sw_log_integer("worker", core),
        sw_log_integer("lost_events", (int64_t)(lost - observer->events_lost[core])),
    };
    observer->events_lost[core] = lost;
    sw_observe_log(
        service,
        SW_LOG_WARN,
        SW_LOG_HERE,
        "A worker had more to tell than the log took",
        fields,
        SW_ARRAY_SIZE(fields)
    );
}

void sw_observe_tick(struct service *service)
{
    struct observer *observer = service->observer;
    if (observer == NULL || observer->log == NULL) {
        return;
    }
    for (unsigned core = 0; core < service->cores_count; core++) {
        struct sw_event event;
        if (service->workers[core] == NULL) {
            continue;
        }
        struct sw_events *events = sw_worker_events(service->workers[core]);
        for (unsigned i = 0; i < EVENTS_PER_TICK && sw_events_take(events, &event); i++) {
            log_event(observer, &event);
            sw_event_fini(&event);
        }
        tell_lost_events(service, core);
    }
    sw_log_flush(observer->log);
    sw_observer_ports_tick(observer, sw_clock_ns());
}
