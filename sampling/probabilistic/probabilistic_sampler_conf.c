#include "sampling/probabilistic/probabilistic_sampler_conf.h"

#include "sampling/probabilistic/probabilistic_sampler.h"
#include "sampling/probabilistic/threshold.h"

#include <math.h>

// clang-format off
static const struct sw_field sampler_fields[] = {
    SW_FLOAT("sampling_percentage", struct sw_probabilistic_conf, sampling_percentage, "0",
             "share that is kept; from 100 on everything", .unit = "%"),
    SW_UINT("hash_seed", struct sw_probabilistic_conf, hash_seed, "0",
            "samplers in a row need different seeds (mode hash_seed)"),
    SW_STRING("mode", struct sw_probabilistic_conf, mode, NULL,
              "hash_seed, proportional or equalizing; without: hash_seed"),
    SW_BOOL("fail_closed", struct sw_probabilistic_conf, fail_closed, "true",
            "items without usable randomness are dropped, else kept"),
    SW_INT("sampling_precision", struct sw_probabilistic_conf, sampling_precision, "4",
           "hexadecimal digits of thresholds, 1 to 14"),
    SW_STRING("attribute_source", struct sw_probabilistic_conf, attribute_source, "traceID",
              "traceID, or record: from_attribute alone decides (logs)"),
    SW_STRING("from_attribute", struct sw_probabilistic_conf, from_attribute, NULL,
              "attribute of a record whose value is hashed when there is no trace ID (logs)"),
    SW_STRING("sampling_priority", struct sw_probabilistic_conf, sampling_priority, NULL,
              "attribute of a record that holds a percentage of its own (logs)"),
    SW_FIELD_END,
};
// clang-format on

static void percentage_check(const struct sw_probabilistic_conf *conf, struct sw_check *check)
{
    const char *key = "sampling_percentage";
    double percentage = (float)conf->sampling_percentage; // as the Collector has it
    double ratio = percentage / 100;
    if (isnan(percentage) || isinf(percentage)) {
        sw_complain(check, SW_COMPLAINT_ERROR, key, "sampling rate is invalid: %f%%", percentage);
    } else if (ratio < 0) {
        sw_complain(check, SW_COMPLAINT_ERROR, key, "sampling rate is negative: %f%%", percentage);
    } else if (ratio > 0 && ratio < SW_PROBABILITY_MIN) {
        sw_complain(check, SW_COMPLAINT_ERROR, key, "sampling rate is too small: %g%%", percentage);
    }
}

static void sampler_check(void *section, struct sw_check *check)
{
    static const char *const modes[] = {"", "hash_seed", "equalizing", "proportional", NULL};
    static const char *const sources[] = {"", "traceID", "record", NULL};
    const struct sw_probabilistic_conf *conf = section;
    long long precision = conf->sampling_precision;
    percentage_check(conf, check);
    if (sw_word_index(modes, conf->mode, false) < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_ERROR,
            "mode",
            conf->mode,
            modes,
            "unsupported sampler mode \"%s\"",
            conf->mode
        );
    }
    if (sw_word_index(sources, conf->attribute_source, false) < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_ERROR,
            "attribute_source",
            conf->attribute_source,
            sources,
            "invalid attribute source: %s. Expected: traceID or record",
            conf->attribute_source
        );
    }
    if (precision <= 0 || precision > SW_THRESHOLD_DIGITS) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "sampling_precision",
            precision <= 0 ? "invalid sampling precision: %lld"
                           : "sampling precision is too great, should be <= 14: %lld",
            precision
        );
    }
}

const struct sw_component sw_probabilistic_sampler = {
    .kind = SW_PROCESSOR,
    .type = "probabilistic_sampler",
    .fields = sampler_fields,
    .conf_size = sizeof(struct sw_probabilistic_conf),
    .check = sampler_check,
    .signals = SW_FOR_TRACES | SW_FOR_LOGS,
    .signals_ready = SW_FOR_TRACES | SW_FOR_LOGS,
    .stability = "beta",
    .module = "sampling/probabilistic",
    .help = "keeps a share of spans or log records, each looked at alone",
    .ops = &sw_probabilistic_class,
};
