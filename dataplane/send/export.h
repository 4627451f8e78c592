/* What all exporters share: [queue] → export (counts, tells, books) → retry and time limit → attempt.
 * The Collector's exporterhelper (v0.159). */
#ifndef SW_SEND_EXPORT_H
#define SW_SEND_EXPORT_H

#include "dataplane/base/metric.h"
#include "dataplane/pipeline/push.h"
#include "dataplane/send/dead_letter.h"
#include "dataplane/send/measure.h"
#include "storage/queue/sending_queue.h"
#include "storage/retry/retry_on_failure.h"

#define SW_EXPORT_LABELS_MAX 4

/** How an exporter wants its chain; borrowed until return, what is pointed to lives as long as it. */
struct sw_export_conf {
    const struct sw_sending_queue_conf *queue;    /**< NULL or not enabled: synchronous */
    const struct sw_retry_on_failure_conf *retry; /**< NULL: the first failure is final */
    uint64_t timeout_ns;                          /**< of one attempt; 0: none */
    struct sw_label labels[SW_EXPORT_LABELS_MAX]; /**< of sent and failed, besides the exporter */
    unsigned labels_count;
    struct sw_dead_letter *dead; /**< what is refused for good goes there; NULL: nowhere */
    enum sw_call_kind call_kind; /**< measured, with the first two labels as the address */
};

/** The chain of one core. Control thread.
 *
 * @param attempt  makes one attempt; taken over, also on failure
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_export_new(
    const struct sw_stage_env *env,
    const struct sw_export_conf *conf,
    struct sw_queue_pool *pool,
    struct sw_core *core,
    struct sw_push *attempt,
    struct sw_stage **ret_stage
);

#endif
