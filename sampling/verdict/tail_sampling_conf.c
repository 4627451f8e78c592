// tail_sampling of the Collector contrib v0.159: what its decoder knows, and what it finds only
// when it builds the policies, which is at start (reference: tail sampling, 1).
#include "sampling/verdict/tail_sampling.h"

typedef __typeof__(((struct sw_tail_sampling_conf *)0)->decision_cache) cache_conf;

// clang-format off
static const struct sw_field cache_fields[] = {
    SW_INT("sampled_cache_size", cache_conf, sampled_cache_size, "0",
           "decisions to keep that are remembered; 0 is off", .unit = "traces"),
    SW_INT("non_sampled_cache_size", cache_conf, non_sampled_cache_size, "0",
           "decisions not to keep that are remembered; 0 is off", .unit = "traces"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field tail_fields[] = {
    SW_STRING("sampling_strategy", struct sw_tail_sampling_conf, sampling_strategy_text,
              "trace-complete", "trace-complete or span-ingest"),
    SW_DURATION("decision_wait", struct sw_tail_sampling_conf, decision_wait_ns, "30s",
                "how long a trace is held; whole seconds count, at least one"),
    SW_DURATION("decision_wait_after_root_received", struct sw_tail_sampling_conf,
                decision_wait_after_root_ns, "0s",
                "likewise once its root span is there; 0 is off"),
    SW_UINT("num_traces", struct sw_tail_sampling_conf, num_traces, "50000",
            "traces held at once, over the whole process; the oldest is dropped for a new one"),
    SW_UINT("expected_new_traces_per_sec", struct sw_tail_sampling_conf,
            expected_new_traces_per_sec, "0", "a hint for allocation"),
    SW_BOOL("block_on_overflow", struct sw_tail_sampling_conf, block_on_overflow, "false",
            "wait for room instead of dropping the oldest trace"),
    SW_BOOL("sample_on_first_match", struct sw_tail_sampling_conf, sample_on_first_match, "false",
            "stop asking policies at the first that samples"),
    SW_BOOL("drop_pending_traces_on_shutdown", struct sw_tail_sampling_conf,
            drop_pending_traces_on_shutdown, "false",
            "do not decide what is still held at the end"),
    SW_UINT("maximum_trace_size_bytes", struct sw_tail_sampling_conf, maximum_trace_size_bytes,
            "0", "larger traces are not sampled; 0 is off", .unit = "bytes"),
    SW_STRUCT("decision_cache", struct sw_tail_sampling_conf, decision_cache, cache_fields,
              "decisions remembered beyond num_traces"),
    SW_ID("tail_storage", struct sw_tail_sampling_conf, tail_storage,
          "extension that holds the spans", .support = SW_NOT_YET, .flags = SW_FIELD_OMIT),
    SW_UINT("num_shards", struct sw_tail_sampling_conf, num_shards, "1",
            "goroutines of the Collector; up to 256", .support = SW_NO_EFFECT,
            .note = "traces are sharded over the workers of the appliance file"),
    SW_LIST("policies", struct sw_tail_sampling_conf, policies, struct sw_policy_conf,
            sw_policy_fields, "asked in this order; one that samples is enough",
            .check = sw_policy_check),
    SW_FIELD_END,
};
// clang-format on

#define GATE(name)   "processor.tailsamplingprocessor." name
#define STORAGE_GATE GATE("tailstorageextension")

static void storage_check(const struct sw_tail_sampling_conf *conf, struct sw_check *check)
{
    if (conf->tail_storage[0] == '\0') {
        return;
    }
    if (!check->gate(check, STORAGE_GATE)) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "tail_storage",
            "'tail_storage' requires the \"" STORAGE_GATE "\" feature gate to be enabled, use "
            "--feature-gates=+" STORAGE_GATE
        );
    }
    if (conf->num_shards > 1) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "num_shards",
            "num_shards greater than 1 is not supported with tail_storage"
        );
    }
}

static void tail_check(void *section, struct sw_check *check)
{
    struct sw_tail_sampling_conf *conf = section;
    static const char *const strategies[] = {"trace-complete", "span-ingest", NULL};
    int strategy = sw_word_index(strategies, conf->sampling_strategy_text, false);
    if (strategy < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_ERROR,
            "sampling_strategy",
            conf->sampling_strategy_text,
            strategies,
            "invalid sampling_strategy \"%s\", expected one of \"trace-complete\" or "
            "\"span-ingest\"",
            conf->sampling_strategy_text
        );
    } else {
        conf->sampling_strategy = strategy;
    }
    if (strategy == SW_SPAN_INGEST) {
        sw_complain(
            check,
            SW_COMPLAINT_AT_START,
            "sampling_strategy",
            "\"span-ingest\" is not supported yet"
        );
    }
    if (conf->num_shards > 256) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "num_shards",
            "num_shards (%u) must not exceed 256",
            conf->num_shards
        );
    }
    conf->record_policy = check->gate(check, GATE("recordpolicy"));
    conf->count_spans = check->gate(check, GATE("metricstatcountspanssampled"));
    storage_check(conf, check);
    sw_policies_check(&conf->policies, check);
}

const struct sw_component sw_tail_sampling = {
    .kind = SW_PROCESSOR,
    .type = "tail_sampling",
    .fields = tail_fields,
    .conf_size = sizeof(struct sw_tail_sampling_conf),
    .check = tail_check,
    .signals = SW_FOR_TRACES,
    .signals_ready = SW_FOR_TRACES,
    .stability = "beta",
    .module = "sampling/verdict",
    .help = "holds whole traces and keeps those that a policy wants",
    .ops = &sw_tail_sampling_class,
};
