#include "storage/batch/batch_conf.h"

#include "storage/batch/batch.h"

#include <strings.h>

// clang-format off
static const struct sw_field batch_fields[] = {
    SW_DURATION("timeout", struct sw_batch_conf, timeout_ns, "200ms",
                "a batch is sent after this time at the latest; 0 sends every input at once"),
    SW_UINT("send_batch_size", struct sw_batch_conf, send_batch_size, "8192",
            "a batch is sent when it has so many; 0 sends every input at once",
            .unit = "spans, data points or log records"),
    SW_UINT("send_batch_max_size", struct sw_batch_conf, send_batch_max_size, "0",
            "larger batches are split; 0 never", .unit = "spans, data points or log records"),
    SW_STRINGS("metadata_keys", struct sw_batch_conf, metadata_keys, NULL,
               "a batch of its own for each combination of these client metadata"),
    SW_UINT("metadata_cardinality_limit", struct sw_batch_conf, metadata_cardinality_limit,
            "1000", "most combinations of metadata_keys; 0 is unlimited"),
    SW_FIELD_END,
};
// clang-format on

static void batch_check(void *section, struct sw_check *check)
{
    const struct sw_batch_conf *conf = section;
    if (conf->send_batch_max_size > 0 && conf->send_batch_max_size < conf->send_batch_size) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "send_batch_max_size",
            "must be greater or equal to send_batch_size"
        );
    }
    if (conf->timeout_ns < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, "timeout", "must be greater or equal to 0");
    }
    for (size_t i = 0; i < conf->metadata_keys.count; i++) {
        const char *key = SW_LIST_AT(conf->metadata_keys, const char *, i);
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(key, SW_LIST_AT(conf->metadata_keys, const char *, j)) == 0) {
                sw_complain(
                    check,
                    SW_COMPLAINT_ERROR,
                    "metadata_keys",
                    "duplicate entry \"%s\" (case-insensitive)",
                    key
                );
                break;
            }
        }
    }
}

const struct sw_component sw_batch_processor = {
    .kind = SW_PROCESSOR,
    .type = "batch",
    .fields = batch_fields,
    .conf_size = sizeof(struct sw_batch_conf),
    .check = batch_check,
    .signals = SW_FOR_OTLP,
    .signals_ready = SW_FOR_OTLP,
    .stability = "beta",
    .module = "storage/batch",
    .help = "joins small requests into larger ones",
    .ops = &sw_batch_class,
};
