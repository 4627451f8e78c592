/* Names on the page. */
#ifndef SW_TELEMETRY_PROMETHEUS_INTERNAL_H
#define SW_TELEMETRY_PROMETHEUS_INTERNAL_H

#include "control/telemetry/prometheus.h"

/* otlptranslator, MetricNamer.buildMetricName. On the heap; NULL when out of memory. */
char *sw_page_family_name(const struct sw_metric_family *family, bool suffixes);

/* Needs no escaping: [a-zA-Z_:][a-zA-Z0-9_:]*, without the colon for labels. */
bool sw_page_is_legacy(const char *name, bool label);

/* prometheus/common model.EscapeName; suffix ("_bucket") stays as it is. */
void sw_page_put_name(
    struct sw_string *text,
    const char *name,
    const char *suffix,
    bool label,
    enum sw_page_escaping escaping
);

/* Instrumentation scope of a family: the Go package that records it in the Collector. */
const char *sw_page_scope(const char *family);

#endif
