/* What `validate` finds beyond the Collector: odd orders of processors, data delivered twice, and whatever
 * only shows when the pipelines are built. All of it is a warning. */
#include "control/service/findings_internal.h"
#include "control/service/service_internal.h"
#include "dataplane/base/mem.h"
#include "storage/queue/sending_queue_conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RING_SIZE 64u

void sw_finding(
    struct findings *findings,
    const struct sw_conf_component *component,
    const char *key,
    const char *format,
    ...
)
{
    char path[512];
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(
        path,
        sizeof(path),
        "%s::%s%s%s",
        sw_component_section(component->kind),
        component->id,
        key[0] != '\0' ? "::" : "",
        key
    );
    sw_conf_errors_add(
        findings->errors,
        SW_COMPLAINT_WARNING,
        false,
        sw_conf_place(findings->conf, component, key),
        path,
        text
    );
}

__attribute__((format(printf, 3, 4))) static void finding_of_pipeline(
    struct findings *findings,
    const struct sw_conf_pipeline *pipeline,
    const char *format,
    ...
)
{
    char path[512];
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "service::pipelines::%s", pipeline->id);
    sw_conf_errors_add(findings->errors, SW_COMPLAINT_WARNING, false, pipeline->mark, path, text);
}

/* ---- pipelines ---- */

static bool is_type(const struct sw_conf_component *item, const char *type)
{
    return strcmp(item->component->type, type) == 0;
}

static void check_order(struct findings *findings, const struct sw_conf_pipeline *pipeline)
{
    const struct sw_conf_component *batch = NULL;
    for (size_t i = 0; i < pipeline->processors_count; i++) {
        const struct sw_conf_component *item = pipeline->processors[i];
        if (is_type(item, "memory_limiter") && i > 0) {
            finding_of_pipeline(
                findings,
                pipeline,
                "processor \"%s\" should be the first: what it refuses has cost memory by then",
                item->id
            );
        } else if (is_type(item, "tail_sampling") && batch != NULL) {
            finding_of_pipeline(
                findings,
                pipeline,
                "processor \"%s\" stands before \"%s\", which takes its batches apart again",
                batch->id,
                item->id
            );
        } else if (is_type(item, "batch")) {
            batch = item;
        }
    }
}

static const struct sw_conf_component *in_both(
    const struct sw_conf_component *const *a,
    size_t a_count,
    const struct sw_conf_component *const *b,
    size_t b_count
)
{
    for (size_t i = 0; i < a_count; i++) {
        for (size_t k = 0; k < b_count; k++) {
            if (a[i] == b[k]) {
                return a[i];
            }
        }
    }
    return NULL;
}

// Pipelines that treat data differently may well share both ends.
static void check_twice(
    struct findings *findings,
    const struct sw_conf_pipeline *a,
    const struct sw_conf_pipeline *b
)
{
    bool same = a->signal == b->signal && a->processors_count == b->processors_count;
    for (size_t i = 0; same && i < a->processors_count; i++) {
        same = a->processors[i] == b->processors[i];
    }
    const struct sw_conf_component *from =
        in_both(a->receivers, a->receivers_count, b->receivers, b->receivers_count);
    const struct sw_conf_component *to =
        in_both(a->exporters, a->exporters_count, b->exporters, b->exporters_count);
    if (same && from != NULL && to != NULL) {
        finding_of_pipeline(
            findings,
            b,
            "does what pipeline \"%s\" does from \"%s\" to \"%s\": each item is delivered twice",
            a->id,
            from->id,
            to->id
        );
    }
}

static void check_pipelines(struct findings *findings)
{
    const struct sw_conf *conf = findings->conf;
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        check_order(findings, &conf->pipelines[i]);
        for (size_t k = 0; k < i; k++) {
            check_twice(findings, &conf->pipelines[k], &conf->pipelines[i]);
        }
    }
}

/* ---- building ---- */

static int make_core(struct service *service)
{
    int err = sw_post_new(2, RING_SIZE, &service->post);
    if (err == SW_OK) {
        err = sw_quiet_new(1, &service->quiet);
    }
    if (err == SW_OK) {
        err = sw_metrics_new(1, &service->metrics);
    }
    if (err != SW_OK) {
        return err;
    }
    service->cores_count = 1;
    struct sw_worker_conf conf = {
        .cores_count = 1,
        .post = service->post,
        .quiet = service->quiet,
        .account = &service->account,
        .metrics = service->metrics,
        .idle = SW_WORKER_INTERRUPT,
        .cpu = -1,
    };
    err = sw_worker_new(&conf, &service->workers[0]);
    if (err == SW_OK) {
        service->cores[0] = sw_worker_core(service->workers[0]);
    }
    return err;
}

static int build(struct service *service, char *error, size_t error_size)
{
    struct sw_build_env env = {
        .conf = service->conf,
        .appliance = service->appliance,
        .cores_count = 1,
        .cores = service->cores,
        .metrics = service->metrics,
        .account = &service->account,
        .baseline = &service->baseline,
    };
    int err = sw_generation_new(&env, &service->generation, error, error_size);
    if (err == SW_OK) {
        err = sw_receivers_new(&env, service->generation, &service->receivers, error, error_size);
    }
    return err;
}

// The builder's texts begin with the place of the component that failed. What the Collector's factories
// refuse its `validate` finds, too; everything else only its start.
static void tell_build(struct findings *findings, int err, const char *error)
{
    enum sw_complaint complaint = SW_COMPLAINT_AT_START;
    const struct sw_conf *conf = findings->conf;
    struct sw_mark mark = {.source = ""};
    char path[512] = "";
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *item = &conf->components[i];
        char place[512];
        int len = snprintf(place, sizeof(place), "%s:%u: ", item->mark.source, item->mark.line);
        if (strncmp(error, place, (size_t)len) == 0) {
            snprintf(path, sizeof(path), "%s::%s", sw_component_section(item->kind), item->id);
            mark = item->mark;
            error += len;
            if (err == SW_E_INVALID
                && (item->kind == SW_PROCESSOR || item->component->factory_refuses)) {
                complaint = SW_COMPLAINT_ERROR;
            }
            break;
        }
    }
    sw_conf_errors_add(
        findings->errors, complaint, complaint == SW_COMPLAINT_ERROR, mark, path, error
    );
}

// The stages are made on one core that never runs, and go again.
static void check_build(struct findings *findings, const struct sw_appliance *appliance)
{
    char error[1024] = "";
    struct service *service = sw_zalloc(sizeof(*service));
    if (service == NULL) {
        findings->errors->out_of_memory = true;
        return;
    }
    service->conf = findings->conf;
    service->appliance = appliance;
    service->baseline.total_bytes = (int64_t)sw_memory_limit_for("");
    int err = make_core(service);
    if (err == SW_OK) {
        err = build(service, error, sizeof(error));
    }
    if (err != SW_OK) {
        tell_build(findings, err, error[0] != '\0' ? error : sw_err_text(err));
    }
    sw_generation_free(service->generation);
    sw_receivers_free(service->receivers);
    sw_worker_free(service->workers[0]);
    sw_metrics_free(service->metrics);
    sw_quiet_free(service->quiet);
    sw_post_free(service->post);
    sw_free(service);
}

/* ---- stores ---- */

static bool is_in_service(const struct sw_conf *conf, const char *id)
{
    for (size_t i = 0; i < conf->extensions_count; i++) {
        if (strcmp(conf->extensions[i]->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_store(const struct sw_conf_component *exporter)
{
    uint32_t offset = exporter->component->queue_offset;
    const struct sw_sending_queue_conf *queue =
        (const void *)((const char *)exporter->conf + offset);
    return exporter->kind == SW_EXPORTER && offset != 0 && queue->enabled
           && queue->storage[0] != '\0';
}

// The Collector, too, only finds it when it starts.
static void check_stores(struct findings *findings)
{
    const struct sw_conf *conf = findings->conf;
    for (size_t i = 0; i < conf->components_count; i++) {
        const struct sw_conf_component *item = &conf->components[i];
        if (item->kind != SW_EXPORTER || !item->used || item->component->queue_offset == 0) {
            continue;
        }
        const struct sw_sending_queue_conf *queue =
            (const void *)((const char *)item->conf + item->component->queue_offset);
        if (has_store(item) && !is_in_service(conf, queue->storage)) {
            sw_finding(
                findings,
                item,
                "sending_queue::storage",
                "service::extensions has no storage extension \"%s\": it cannot start",
                queue->storage
            );
        }
    }
}

// A store whose pipeline acknowledges from memory all the same.
static void check_batches(struct findings *findings)
{
    const struct sw_conf *conf = findings->conf;
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &conf->pipelines[i];
        const struct sw_conf_component *batch = NULL;
        bool stored = false;
        for (size_t k = 0; k < pipeline->processors_count; k++) {
            batch = is_type(pipeline->processors[k], "batch") ? pipeline->processors[k] : batch;
        }
        for (size_t k = 0; k < pipeline->exporters_count; k++) {
            stored = stored || has_store(pipeline->exporters[k]);
        }
        if (batch != NULL && stored && !sw_pipeline_merges(conf, pipeline)) {
            finding_of_pipeline(
                findings,
                pipeline,
                "what waits in processor \"%s\" is in memory and lost with the process, although "
                "an exporter has "
                "a storage: let all exporters behind it have one, without a batch of their own",
                batch->id
            );
        }
    }
}

void sw_service_check_conf(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    struct sw_conf_errors *errors
)
{
    struct findings findings = {.conf = conf, .errors = errors};
    bool can_start = true;
    // What the loader has found that a start refuses would only be found again.
    for (size_t i = 0; i < errors->count; i++) {
        can_start &= errors->items[i].complaint != SW_COMPLAINT_AT_START;
    }
    check_pipelines(&findings);
    check_stores(&findings);
    check_batches(&findings);
    sw_findings_endpoints(&findings);
    sw_findings_metadata(&findings);
    if (can_start) {
        check_build(&findings, appliance);
    }
}
