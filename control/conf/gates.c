// Feature gates of the Collector v0.159 that its configuration may name.
#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"

#include <string.h>

const struct sw_gate sw_gates[] = {
    {"component.UseLocalHostAsDefaultHost",
     "stable",
     true,
     false,
     "default endpoints on localhost"},
    {"configoptional.AddEnabledField", "stable", true, false, "`enabled` in optional sections"},
    {"confighttp.framedSnappy", "beta", true, false, "framed snappy as x-snappy-framed"},
    {"configauth.enableNativeCompression", "alpha", false, true, "compression inside Go's client"},
    {"confmap.enableMergeAppendOption", "alpha", false, false, "lists of sources are joined"},
    {"connector.spanmetrics.includeCollectorInstanceID",
     "alpha",
     false,
     false,
     "collector.instance.id on span metrics"},
    {"connector.spanmetrics.legacyMetricNames", "alpha", false, false, "older metric names"},
    {"extension.healthcheck.disableCompatibilityWrapper",
     "alpha",
     false,
     false,
     "health_check is its second version"},
    {"extension.healthcheck.useComponentStatus",
     "alpha",
     false,
     false,
     "health_check looks at component status"},
    {"ottl.PanicDuplicateName", "alpha", false, true, "Go functions of one name"},
    {"ottl.contexts.enableOTelColContext", "alpha", false, false, "paths into the request"},
    {"ottl.functions.enableLambda", "alpha", false, false, "lambda functions in OTTL"},
    {"ottl.set.allowNil", "alpha", false, false, "set takes nil"},
    {"otelcol.printInitialConfig", "stable", true, false, "the command print-config"},
    {"pdata.useProtoPooling", "alpha", false, true, "Go's memory of decoded data"},
    {"pkg.exporterhelper.queueBatchEnabled",
     "alpha",
     false,
     false,
     "batching in the sending queue by default"},
    {"processor.filter.defaultErrorModeIgnore",
     "stable",
     true,
     false,
     "error_mode of filter is ignore"},
    {"processor.tailsamplingprocessor.metricstatcountbytessampled",
     "alpha",
     false,
     false,
     "counter of sampled bytes"},
    {"processor.tailsamplingprocessor.metricstatcountspanssampled",
     "alpha",
     false,
     false,
     "counter of sampled spans"},
    {"processor.tailsamplingprocessor.recordpolicy",
     "alpha",
     false,
     false,
     "the policy is recorded in the scope"},
    {"processor.tailsamplingprocessor.tailstorageextension", "alpha", false, false, "tail_storage"},
    {"processor.tailsamplingprocessor.usetracestate",
     "alpha",
     false,
     false,
     "thresholds in the trace state"},
    {"receiverhelper.newReceiverMetrics",
     "alpha",
     false,
     false,
     "receivers tell failed from refused"},
    {"service.AllowNoPipelines", "alpha", false, false, "a service without pipelines"},
    {"service.partialReload", "alpha", false, true, "reload of a part"},
    {"service.partialReloadReceivers", "beta", true, true, "reload of receivers only"},
    {"service.profilesSupport", "alpha", false, false, "pipelines of profiles"},
    {"spanmetrics.statusCodeConvention.useOtelPrefix",
     "alpha",
     false,
     false,
     "status.code by its newer name"},
    {"telemetry.newPipelineTelemetry", "alpha", false, false, "metrics of each pipeline step"},
    {NULL, NULL, false, false, NULL},
};

_Static_assert(sizeof(sw_gates) / sizeof(sw_gates[0]) <= SW_GATES_MAX, "room for all gates");

/** Gates whose effect is built in; others that change behaviour are refused at start. */
static bool is_ready(const char *id)
{
    static const char *const ready[] = {
        "processor.tailsamplingprocessor.metricstatcountspanssampled",
        "processor.tailsamplingprocessor.recordpolicy",
        "service.AllowNoPipelines",
        NULL,
    };
    return sw_word_index(ready, id, false) >= 0;
}

static int gate_index(const char *id, size_t len)
{
    for (int i = 0; sw_gates[i].id != NULL; i++) {
        if (strlen(sw_gates[i].id) == len && memcmp(sw_gates[i].id, id, len) == 0) {
            return i;
        }
    }
    return -1;
}

static void set_gate(struct sw_conf_load *load, int index, bool on)
{
    const struct sw_gate *gate = &sw_gates[index];
    struct sw_mark mark = {.source = "--feature-gates"};
    bool stable = strcmp(gate->stage, "stable") == 0;
    if (stable && !on) {
        sw_load_report(
            load,
            SW_COMPLAINT_ERROR,
            mark,
            "",
            "feature gate \"%s\" is stable, can not be disabled",
            gate->id
        );
        return;
    }
    if (stable) {
        sw_load_report(
            load,
            SW_COMPLAINT_WARNING,
            mark,
            "",
            "feature gate \"%s\" is stable and already enabled",
            gate->id
        );
        return;
    }
    load->gates[index] = on ? 1 : -1;
    if (gate->go_only) {
        sw_load_report(
            load,
            SW_COMPLAINT_WARNING,
            mark,
            "",
            "feature gate \"%s\" has no effect here: it changes only the inside of the Go program",
            gate->id
        );
    } else if (on != gate->on && !is_ready(gate->id)) {
        sw_load_report(
            load,
            SW_COMPLAINT_AT_START,
            mark,
            "",
            "feature gate \"%s\" is not supported yet",
            gate->id
        );
    }
}

static void refuse_unknown(struct sw_conf_load *load, const char *text, size_t len)
{
    struct sw_mark mark = {.source = "--feature-gates"};
    const char *ids[SW_GATES_MAX];
    char word[128];
    size_t count = 0;
    for (; sw_gates[count].id != NULL; count++) {
        ids[count] = sw_gates[count].id;
    }
    snprintf(word, sizeof(word), "%.*s", (int)SW_MIN(len, sizeof(word) - 1), text);
    const char *near = len > 0 ? sw_nearest(word, ids, count) : NULL;
    sw_load_report(
        load,
        SW_COMPLAINT_ERROR,
        mark,
        "",
        near != NULL ? "no such feature gate \"%.*s\", did you mean \"%s\"?"
                     : "no such feature gate \"%.*s\" (see `featuregate`)",
        (int)len,
        text,
        near
    );
}

static void parse_one(struct sw_conf_load *load, const char *text, size_t len)
{
    bool on = true;
    if (len > 0 && (text[0] == '+' || text[0] == '-')) {
        on = text[0] == '+';
        text++;
        len--;
    }
    int index = gate_index(text, len);
    if (index < 0) {
        refuse_unknown(load, text, len);
        return;
    }
    set_gate(load, index, on);
}

int sw_gates_parse(struct sw_conf_load *load)
{
    size_t before = load->errors->refused_count;
    for (size_t i = 0; i < load->args->gates_count; i++) {
        const char *text = load->args->gates[i];
        for (;;) {
            size_t len = strcspn(text, ",");
            parse_one(load, text, len);
            if (text[len] == '\0') {
                break;
            }
            text += len + 1;
        }
    }
    if (load->errors->out_of_memory) {
        return SW_E_NOMEM;
    }
    return load->errors->refused_count > before ? SW_E_INVALID : SW_OK;
}

bool sw_conf_gate_at(const struct sw_conf *conf, size_t index, struct sw_conf_gate_view *ret_gate)
{
    if (index >= SW_ARRAY_SIZE(sw_gates) - 1) {
        return false;
    }
    const struct sw_gate *gate = &sw_gates[index];
    signed char set = conf->load->gates[index];
    *ret_gate = (struct sw_conf_gate_view){
        .id = gate->id,
        .stage = gate->stage,
        .help = gate->help,
        .on = set != 0 ? set > 0 : gate->on,
    };
    return true;
}

bool sw_gate_on(const struct sw_conf_load *load, const char *id)
{
    int index = gate_index(id, strlen(id));
    if (index < 0) {
        return false;
    }
    return load->gates[index] != 0 ? load->gates[index] > 0 : sw_gates[index].on;
}
