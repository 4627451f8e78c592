/* What the observer is made of; control thread only. */
#ifndef SW_SERVICE_OBSERVE_INTERNAL_H
#define SW_SERVICE_OBSERVE_INTERNAL_H

#include "control/health/health_check.h"
#include "control/service/service_internal.h"
#include "control/telemetry/process.h"
#include "control/telemetry/prometheus.h"
#include "control/zpages/zpages.h"

/* A server of the control thread in its loop. */
struct observer_port {
    struct sw_watch watch;
    uint64_t next_ns; // when it is to be polled although nothing came
    uint64_t (*poll)(void *server, uint64_t now_ns);
    void *server;
};

struct observer_page {
    struct observer_port port;
    struct sw_admin_server *server;
    struct sw_page page;
};

struct observer_health {
    struct observer_port port;
    struct sw_health_check *health;
    const char *id;
};

struct observer_zpages {
    struct observer_port port;
    struct sw_zpages *zpages;
};

struct observer_books;

struct observer {
    struct sw_resource *resource;
    struct sw_log *log;
    struct sw_process *process;
    struct observer_page *pages;
    unsigned pages_count;
    struct observer_health *healths;
    unsigned healths_count;
    struct observer_zpages *zpages;
    unsigned zpages_count;
    struct observer_books *books;
    uint64_t events_lost[SW_CORES_MAX]; // that the log has told
};

/* ---- ports.c: the metrics page and the extensions ---- */

SW_CHECKED int sw_observer_ports_open(struct service *service, char *error, size_t error_size);
void sw_observer_ports_close(struct service *service);
/* Polls those whose time has come. */
void sw_observer_ports_tick(struct observer *observer, uint64_t now_ns);

/* ---- books.c: the balance of each pipeline and exporter ---- */

SW_CHECKED int sw_observer_books_new(struct service *service);
void sw_observer_books_free(struct observer_books *books);
/* Reads all of them at once, so that a page shows entries that belong together. */
void sw_observer_books_refresh(struct observer_books *books);

#endif
