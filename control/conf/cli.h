/* The command line: the Collector's flags and subcommands, and those of ours. */
#ifndef SW_CONF_CLI_H
#define SW_CONF_CLI_H

#include "control/appliance/appliance.h"
#include "control/conf/conf.h"

struct sw_cli {
    const char *version; /**< "0.1.0" */
    const struct sw_component *const *components;
    size_t components_count;
    /** Runs until it is told to stop; both are borrowed and constant. @return exit code */
    int (*run)(const struct sw_conf *conf, const struct sw_appliance *appliance);
    /** Looks at a configuration that loads: what is odd about it, and can its pipelines be built?
     * Opens and starts nothing; adds findings. NULL: nothing more is looked at. */
    void (*check
    )(const struct sw_conf *conf,
      const struct sw_appliance *appliance,
      struct sw_conf_errors *errors);
    /** Says which backend of each load-balancing exporter owns a trace (32 hex digits); with `other`
     * instead which share of all traces has another owner there, trace_id is NULL then. On standard
     * output. @return exit code */
    int (*route
    )(const struct sw_conf *conf,
      const struct sw_appliance *appliance,
      const char *trace_id,
      const struct sw_conf *other);
    /** The subcommand queue, which has arguments of its own: what stands behind it. @return exit code */
    int (*queue)(int argc, char **argv);
};

/** Without a subcommand: loads both files and runs. Data on standard output, errors on standard
 * error.
 *
 * @return exit code: 0 well, 1 failed (refused configuration included), 2 wrong usage
 */
int sw_cli_main(int argc, char **argv, const struct sw_cli *cli);

#endif
