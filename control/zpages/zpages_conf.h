/* Configuration of the extensions `zpages` and `pprof` (Collector v0.159). */
#ifndef SW_ZPAGES_ZPAGES_CONF_H
#define SW_ZPAGES_ZPAGES_CONF_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/net_conf.h"

struct sw_zpages_conf {
    struct sw_http_server_conf server;
    struct {
        bool enabled;
    } expvar;
};

/** pprof profiles a Go program: its keys are checked, it opens no port and does nothing. */
struct sw_pprof_conf {
    const char *endpoint;
    int64_t dialer_timeout_ns;
    int64_t block_profile_fraction;
    int64_t mutex_profile_fraction;
    const char *save_to_file;
};

extern const struct sw_component sw_zpages;
extern const struct sw_component sw_pprof;

#endif
