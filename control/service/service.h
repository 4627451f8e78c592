/* The process: workers, one pipeline generation, listeners, extensions and the control loop, from
 * the start to the orderly end. */
#ifndef SW_SERVICE_SERVICE_H
#define SW_SERVICE_SERVICE_H

#include "control/appliance/appliance.h"
#include "control/conf/conf.h"

/** Runs until SIGTERM or SIGINT; logs what it does. Control thread (the process's main thread).
 *
 * @return exit code: 0 after an orderly end, 1 when it could not start or was forced
 */
int sw_service_run(const struct sw_conf *conf, const struct sw_appliance *appliance);

/** What is odd about a configuration although it loads (an endpoint nobody can reach, two servers on one
 * port, data delivered twice, …), and whether its pipelines can be built: they are, on one core,
 * and freed again. Opens no port and starts nothing. Adds findings to errors: warnings, and what no
 * pipeline can be built of, as in the Collector, which refuses. */
void sw_service_check_conf(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    struct sw_conf_errors *errors
);

/** `spanweir route`: see control/conf/cli.h. Names are looked up now. */
int sw_service_route(
    const struct sw_conf *conf,
    const struct sw_appliance *appliance,
    const char *trace_id,
    const struct sw_conf *other
);

/** `spanweir queue`: see control/queue/queue_command.h. */
int sw_service_queue(int argc, char **argv);

/** All components of this build, in reading order. */
extern const struct sw_component *const sw_registry[];
extern const size_t sw_registry_count;

#endif
