/* Batches by the sender's metadata that no receiver passes on: with `metadata_keys` alone all senders look
 * alike. The Collector says nothing. */
#include "control/service/findings_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/receive/otlp_receiver_conf.h"
#include "storage/batch/batch_conf.h"

static bool passes_on(const struct sw_conf_component *item)
{
    if (item->component != &sw_otlp_receiver) {
        return false;
    }
    const struct sw_otlp_receiver_conf *conf = item->conf;
    const struct sw_grpc_server_conf *grpc = &conf->protocols.grpc;
    const struct sw_http_server_conf *http = &conf->protocols.http.server;
    return (grpc->enabled && grpc->include_metadata)
           || (conf->protocols.http.enabled && http->include_metadata);
}

static bool
feeds(const struct sw_conf_pipeline *pipeline, const struct sw_conf_component *connector)
{
    for (size_t i = 0; i < pipeline->exporters_count; i++) {
        if (pipeline->exporters[i] == connector) {
            return true;
        }
    }
    return false;
}

// From a receiver of its own, or through a connector from a pipeline that has it.
static bool
gets_metadata(const struct sw_conf *conf, const struct sw_conf_pipeline *pipeline, const bool *has)
{
    for (size_t i = 0; i < pipeline->receivers_count; i++) {
        const struct sw_conf_component *from = pipeline->receivers[i];
        if (passes_on(from)) {
            return true;
        }
        for (size_t k = 0; from->kind == SW_CONNECTOR && k < conf->pipelines_count; k++) {
            if (has[k] && feeds(&conf->pipelines[k], from)) {
                return true;
            }
        }
    }
    return false;
}

// Which pipelines see metadata; connectors pass it on, so until nothing changes.
static void find_metadata(const struct sw_conf *conf, bool *has)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < conf->pipelines_count; i++) {
            if (!has[i] && gets_metadata(conf, &conf->pipelines[i], has)) {
                has[i] = changed = true;
            }
        }
    }
}

static bool
has_processor(const struct sw_conf_pipeline *pipeline, const struct sw_conf_component *processor)
{
    for (size_t i = 0; i < pipeline->processors_count; i++) {
        if (pipeline->processors[i] == processor) {
            return true;
        }
    }
    return false;
}

// Once for each batch, however many pipelines have it.
static void
check_batch(struct findings *findings, const struct sw_conf_component *item, const bool *has)
{
    const struct sw_conf *conf = findings->conf;
    const struct sw_batch_conf *batch = item->conf;
    for (size_t i = 0; i < conf->pipelines_count && batch->metadata_keys.count > 0; i++) {
        if (!has[i] && has_processor(&conf->pipelines[i], item)) {
            sw_finding(
                findings,
                item,
                "metadata_keys",
                "no receiver of pipeline \"%s\" has include_metadata: true, so all senders "
                "share one batch",
                conf->pipelines[i].id
            );
            return;
        }
    }
}

void sw_findings_metadata(struct findings *findings)
{
    const struct sw_conf *conf = findings->conf;
    bool *has = sw_zalloc(SW_MAX(conf->pipelines_count, 1) * sizeof(*has));
    if (has == NULL) {
        findings->errors->out_of_memory = true;
        return;
    }
    find_metadata(conf, has);
    for (size_t i = 0; i < conf->components_count; i++) {
        if (conf->components[i].component == &sw_batch_processor) {
            check_batch(findings, &conf->components[i], has);
        }
    }
    sw_free(has);
}
