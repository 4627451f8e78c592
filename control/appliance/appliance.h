/* The appliance file: what this machine is, and every option of ours (libconfig syntax, design
 * section 5). Every setting has a default, so the file is optional. Control thread; a loaded file is
 * constant and may be read by all. */
#ifndef SW_APPLIANCE_APPLIANCE_H
#define SW_APPLIANCE_APPLIANCE_H

#include "dataplane/base/err.h"
#include "dataplane/pipeline/component.h"

#define SW_APPLIANCE_DEFAULT_PATH "/etc/spanweir/appliance.conf"
#define SW_APPLIANCE_ENV          "SPANWEIR_APPLIANCE"
#define SW_APPLIANCE_WORKERS_MAX  64

enum sw_idle {
    SW_IDLE_ADAPTIVE,  /**< spins briefly, then sleeps */
    SW_IDLE_BUSY,      /**< never sleeps */
    SW_IDLE_INTERRUPT, /**< sleeps at once */
};

struct sw_appliance {
    const char *path;       /**< of the file read, NULL: defaults only */
    unsigned workers_count; /**< 0: not set (affinity and cgroup decide) */
    enum sw_idle idle;
    struct {
        int64_t notice_ns;
        int64_t deadline_ns;
        bool retry; /**< what waits for a retry goes on until the deadline */
    } drain;
    struct sw_appliance_view *components; /**< in the order written */
    size_t components_count;
    struct {
        bool enabled;             /**< gateway to gateway */
        struct sw_list hostnames; /**< const char *; empty: dns */
        struct {
            const char *hostname; /**< NULL: hostnames */
            const char *port;     /**< as it stands on the ring */
            int64_t interval_ns;
            int64_t timeout_ns;
        } dns;
        struct sw_list self; /**< const char *, host or host:port; empty: found out */
        int generation;      /**< 0, 1, 2: A, B, C */
        int64_t timeout_ns;  /**< of a request to another gateway */
    } peers;
    struct sw_appliance_load *load; /**< the loader's own memory */
};

/** Reads and checks a file.
 *
 * @param path  NULL: SPANWEIR_APPLIANCE of the environment, else the default path if that file
 *              exists, else defaults
 * @param error  where a failure is told ("file:line: text"), NUL-terminated
 * @return 0; SW_E_INVALID (unknown setting, wrong type, not supported yet), SW_E_SYSTEM (cannot be
 *         read), SW_E_NOMEM; *ret_appliance is untouched then
 */
SW_CHECKED int sw_appliance_load(
    const char *path,
    struct sw_appliance **ret_appliance,
    char *error,
    size_t error_size
);

/** As sw_appliance_load, from text; for tests. name stands in errors. */
SW_CHECKED int sw_appliance_load_text(
    const char *name,
    const char *text,
    struct sw_appliance **ret_appliance,
    char *error,
    size_t error_size
);

/** NULL is legal. */
void sw_appliance_free(struct sw_appliance *appliance);

/** What stands in the file about one component, or NULL. The kind and ID are compared as texts. */
const struct sw_appliance_view *
sw_appliance_find(const struct sw_appliance *appliance, const char *kind, const char *id);

/** A setting as the reference page shows it. */
struct sw_appliance_setting {
    const char *name;   /**< "drain.notice": notice in the group drain */
    const char *type;   /**< "integer", "word", "duration", … */
    const char *preset; /**< default as it would be written; NULL: none, help says more */
    const char *help;
};

/** The settings in reading order. @return false behind the last one */
bool sw_appliance_setting(size_t index, struct sw_appliance_setting *ret_setting);

#endif
