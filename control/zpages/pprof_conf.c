#include "control/zpages/zpages_conf.h"

typedef struct sw_pprof_conf pprof_conf;

static const struct sw_field dialer_fields[] = {
    SW_DURATION("timeout", pprof_conf, dialer_timeout_ns, NULL, "of clients; there are none"),
    SW_FIELD_END,
};

// clang-format off
static const struct sw_field pprof_fields[] = {
    SW_STRING("endpoint", pprof_conf, endpoint, "localhost:1777", "is not listened on"),
    SW_SECTION("dialer", pprof_conf, dialer_fields, "of clients"),
    SW_INT("block_profile_fraction", pprof_conf, block_profile_fraction, "0",
           "of the Go scheduler"),
    SW_INT("mutex_profile_fraction", pprof_conf, mutex_profile_fraction, "0",
           "of the Go runtime"),
    SW_STRING("save_to_file", pprof_conf, save_to_file, NULL, "is not written"),
    SW_FIELD_END,
};
// clang-format on

static void pprof_check(void *section, struct sw_check *check)
{
    (void)section;
    sw_complain(
        check,
        SW_COMPLAINT_WARNING,
        NULL,
        "has no effect here: it profiles a Go program (`perf record` does that for this one)"
    );
}

const struct sw_component sw_pprof = {
    .kind = SW_EXTENSION,
    .type = "pprof",
    .fields = pprof_fields,
    .conf_size = sizeof(pprof_conf),
    .check = pprof_check,
    .stability = "beta",
    .module = "control/zpages",
    .help = "the Go profiler: accepted, without effect",
};
