/* The page of our own metrics in the Prometheus text format, exactly as the Collector's pull reader
 * writes it (v0.159: opentelemetry-go exporters/prometheus over client_golang).
 *
 * The reader's flags decide the names: bare when both without_type_suffix and without_units are
 * set, else with unit suffixes and _total. Dots stay for a scraper that asks for UTF-8 names, else
 * they become underscores. Control thread. */
#ifndef SW_TELEMETRY_PROMETHEUS_H
#define SW_TELEMETRY_PROMETHEUS_H

#include "control/conf/service_conf.h"
#include "control/telemetry/admin_http.h"
#include "control/telemetry/resource.h"
#include "dataplane/base/metric.h"

/** One page; the members are borrowed. */
struct sw_page {
    struct sw_metrics *metrics;
    const struct sw_pull_reader_conf *reader;
    const struct sw_resource *resource;
    int level; /**< enum sw_metrics_level: families above it are left out */
    /** Called before each page is written, to bring gauges up to date; may be NULL. */
    void (*refresh)(void *context);
    void *context;
};

/** How names outside [a-zA-Z0-9_:] are written, negotiated with the scraper. */
enum sw_page_escaping {
    SW_ESCAPE_UNDERSCORES,
    SW_ESCAPE_DOTS,
    SW_ESCAPE_VALUES,
    SW_ALLOW_UTF8,
};

/** What an Accept header asks for. */
enum sw_page_escaping sw_page_negotiate(const char *accept);

/** Content-Type of the page. */
const char *sw_page_content_type(enum sw_page_escaping escaping);

/** Which families are on a page. */
enum sw_page_scope {
    SW_PAGE_COLLECTOR, /**< those that the Collector has too, and no others */
    SW_PAGE_ALL,       /**< ours too (spanweir_…) */
};

/** Adds the page to text (text->failed when out of memory). */
void sw_page_write(
    const struct sw_page *page,
    enum sw_page_scope scope,
    enum sw_page_escaping escaping,
    struct sw_string *text
);

/** sw_admin_conf.handle for a server with this page at /metrics, which is the Collector's to the
 * letter, and with our own families beside the Collector's at /metrics/all; context: struct sw_page. */
void sw_page_handle(
    void *context,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
);

#endif
