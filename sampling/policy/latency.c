/* Duration from the earliest start to the latest end, tested after every span: with an upper bound
 * a trace is kept when it was in the range once, though it grew out of it (reference: 7.2). */
#include "sampling/policy/policy_internal.h"

#define NS_PER_MS 1000000

static int init(struct policy *policy, const struct sw_policy_conf *conf, const char **ret_why)
{
    policy->latency.threshold_ms = conf->latency.threshold_ms;
    policy->latency.upper_threshold_ms = conf->latency.upper_threshold_ms;
    return SW_OK;
}

// Go's time.Time.Sub: what does not fit is the largest or the smallest duration.
static int64_t duration_ms(const struct sight *sight)
{
    int64_t ns;
    if (__builtin_sub_overflow((int64_t)sight->end_max_ns, (int64_t)sight->start_min_ns, &ns)) {
        ns = (int64_t)sight->start_min_ns < 0 ? INT64_MAX : INT64_MIN;
    }
    return ns / NS_PER_MS;
}

static bool sees(const struct policy *policy, const struct sight *sight)
{
    int64_t ms = duration_ms(sight);
    int64_t upper_ms = policy->latency.upper_threshold_ms;
    return ms > policy->latency.threshold_ms && (upper_ms == 0 || ms <= upper_ms);
}

const struct policy_kind sw_policy_latency = {
    .init = init,
    .sees = sees,
};
