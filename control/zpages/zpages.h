/* The zpages extension (Collector v0.159): pages about the process, for people. They show what runs:
 * pipelines, components and extensions as they were built, the feature gates as they are set.
 *
 * /debug/servicez, pipelinez, extensionz, featurez as the Collector's; /debug/tracez says that there are no
 * spans of our own. The owner watches sw_zpages_fd and calls sw_zpages_poll, as with the server below it
 * (telemetry/admin_http.h). Control thread. */
#ifndef SW_ZPAGES_ZPAGES_H
#define SW_ZPAGES_ZPAGES_H

#include "control/conf/conf.h"
#include "control/telemetry/admin_http.h"
#include "control/zpages/zpages_conf.h"
#include "dataplane/l4_stream/stream.h"

/** What the pages show; borrowed, outlives the extension. */
struct sw_zpages_view {
    const struct sw_conf *conf;
    const char *version;
    unsigned workers_count;
    uint64_t started_wall_ns;
};

struct sw_zpages;

/** Listens nowhere yet. @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int sw_zpages_new(
    const struct sw_zpages_conf *conf,
    const struct sw_zpages_view *view,
    struct sw_zpages **ret_zpages
);

/** NULL is legal. */
void sw_zpages_free(struct sw_zpages *zpages);

/** Listens there. ret_port (may be NULL): the real one. @return 0, SW_E_SYSTEM with errno set */
SW_CHECKED int
sw_zpages_listen(struct sw_zpages *zpages, const struct sw_addr *addr, uint16_t *ret_port);

int sw_zpages_fd(const struct sw_zpages *zpages);

/** As sw_admin_server_poll. */
uint64_t sw_zpages_poll(struct sw_zpages *zpages, uint64_t now_ns);

/** What is answered to a request; for the server and for tests. */
void sw_zpages_answer(
    const struct sw_zpages *zpages,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
);

#endif
