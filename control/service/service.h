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

/** All components of this build, in reading order. */
extern const struct sw_component *const sw_registry[];
extern const size_t sw_registry_count;

#endif
