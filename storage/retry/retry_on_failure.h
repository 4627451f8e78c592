/* retry_on_failure: repeats what failed for now, as the Collector's exporterhelper does (v0.159,
 * exporter/exporterhelper/internal/retry_sender.go): exponential back-off with jitter, the peer's
 * hints, an end after max_elapsed_time. Also gives each attempt its time limit.
 *
 * A part that waits is copied into a buffer of its own unless it has one already, so that a slow
 * backend pins nobody's buffers; the copy is made in slices. */
#ifndef SW_RETRY_RETRY_ON_FAILURE_H
#define SW_RETRY_RETRY_ON_FAILURE_H

#include "dataplane/pipeline/push.h"
#include "storage/retry/retry_on_failure_conf.h"

/** One on each core.
 *
 * @param id          component ID, for events; lives as long as the retry
 * @param conf        NULL or not enabled: the first failure is final
 * @param timeout_ns  limit of an attempt; 0: none
 * @param next        makes the attempts; taken over on success
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_retry_new(
    struct sw_core *core,
    const char *id,
    const struct sw_retry_on_failure_conf *conf,
    uint64_t timeout_ns,
    struct sw_account *account,
    struct sw_push *next,
    struct sw_push **ret_push
);

/** Calls that wait for a repetition now. Owner core. */
uint32_t sw_retry_waiting_count(const struct sw_push *push);

#endif
