/* The health_check extension (Collector contrib v0.159, version 1): an HTTP server of the control
 * thread that says 200 when all pipelines run and 503 before and after. It looks at nothing else:
 * refusing for memory or failing exports are no reason to be taken out of service.
 *
 * The owner watches sw_health_check_fd and calls sw_health_check_poll, as with the server below it
 * (telemetry/admin_http.h). Control thread. */
#ifndef SW_HEALTH_HEALTH_CHECK_H
#define SW_HEALTH_HEALTH_CHECK_H

#include "control/health/health_check_conf.h"
#include "control/telemetry/admin_http.h"
#include "dataplane/l4_stream/stream.h"

struct sw_health_check;

/** Not ready at first; listens nowhere yet. conf is borrowed, outlives it.
 * @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_health_check_new(const struct sw_health_check_conf *conf, struct sw_health_check **ret_health);

/** NULL is legal. */
void sw_health_check_free(struct sw_health_check *health);

/** Listens there. ret_port (may be NULL): the real one. @return 0, SW_E_SYSTEM with errno set */
SW_CHECKED int sw_health_check_listen(
    struct sw_health_check *health,
    const struct sw_addr *addr,
    uint16_t *ret_port
);

/** The state changes. upSince is when it became ready. */
void sw_health_check_set_ready(
    struct sw_health_check *health,
    bool ready,
    uint64_t now_ns,
    uint64_t wall_ns
);

int sw_health_check_fd(const struct sw_health_check *health);

/** As sw_admin_server_poll. */
uint64_t sw_health_check_poll(struct sw_health_check *health, uint64_t now_ns);

/** What is answered to a request, at the time of the last poll; for the server and for tests. */
void sw_health_check_answer(
    const struct sw_health_check *health,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
);

/** As Go prints a time.Duration: "1h2m3.5s", "1.5ms", "0s". */
void sw_health_check_put_duration(struct sw_string *text, uint64_t ns);

#endif
