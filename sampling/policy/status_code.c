#include "sampling/policy/policy_internal.h"

static int init(struct policy *policy, const struct sw_policy_conf *conf, const char **ret_why)
{
    if (conf->status_code.mask == 0) {
        *ret_why = "expected at least one status code to filter on";
        return SW_E_INVALID;
    }
    policy->status_code.mask = conf->status_code.mask;
    return SW_OK;
}

// The wire has an open enum: what is none of the three matches nothing.
static bool sees(const struct policy *policy, const struct sight *sight)
{
    uint32_t code = (uint32_t)sight->status_code;
    return code <= SW_SPAN_STATUS_ERROR && (policy->status_code.mask >> code & 1) != 0;
}

const struct policy_kind sw_policy_status_code = {
    .init = init,
    .sees = sees,
};
