#include "storage/retry/retry_on_failure_conf.h"

// clang-format off
const struct sw_field sw_retry_on_failure_fields[] = {
    SW_BOOL("enabled", struct sw_retry_on_failure_conf, enabled, "true",
            "false: the first failure is final"),
    SW_DURATION("initial_interval", struct sw_retry_on_failure_conf, initial_interval_ns, "5s",
                "wait before the first retry"),
    SW_FLOAT("randomization_factor", struct sw_retry_on_failure_conf, randomization_factor,
             "0.5", "waits differ at random by up to this share"),
    SW_FLOAT("multiplier", struct sw_retry_on_failure_conf, multiplier, "1.5",
             "each wait is so many times the one before"),
    SW_DURATION("max_interval", struct sw_retry_on_failure_conf, max_interval_ns, "30s",
                "longest wait, before the random share"),
    SW_DURATION("max_elapsed_time", struct sw_retry_on_failure_conf, max_elapsed_time_ns, "5m",
                "given up after this time; 0 never"),
    SW_FIELD_END,
};
// clang-format on

static void negative(struct sw_check *check, const char *key, bool is_negative)
{
    if (is_negative) {
        sw_complain(check, SW_COMPLAINT_ERROR, key, "value must be greater than or equal to 0");
    }
}

void sw_retry_on_failure_check(void *section, struct sw_check *check)
{
    // Since v0.156 also when disabled.
    const struct sw_retry_on_failure_conf *conf = section;
    negative(check, "initial_interval", conf->initial_interval_ns < 0);
    negative(check, "randomization_factor", !(conf->randomization_factor >= 0));
    if (conf->randomization_factor > 1) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "randomization_factor",
            "value must be less than or equal to 1"
        );
    }
    negative(check, "multiplier", !(conf->multiplier >= 0));
    negative(check, "max_interval", conf->max_interval_ns < 0);
    negative(check, "max_elapsed_time", conf->max_elapsed_time_ns < 0);
    if (conf->max_elapsed_time_ns <= 0) {
        return;
    }
    if (conf->max_elapsed_time_ns < conf->initial_interval_ns) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_elapsed_time",
            "must not be less than 'initial_interval'"
        );
    }
    if (conf->max_elapsed_time_ns < conf->max_interval_ns) {
        sw_complain(
            check, SW_COMPLAINT_ERROR, "max_elapsed_time", "must not be less than 'max_interval'"
        );
    }
}
