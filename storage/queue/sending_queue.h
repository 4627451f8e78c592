/* sending_queue: requests wait here, in memory or in a store, for the exporter (Collector v0.159,
 * exporter/exporterhelper). The first stage of an exporter; with the queue off the same constructor
 * gives a stage that calls the exporter synchronously, so that the sender gets the backend's answer.
 *
 * The capacity is one pool of the process, in units of the sizer; a request counts until it is
 * finished, so requests under way or waiting for a repetition still occupy the queue.
 * num_consumers is dealt over the cores, at least one each. Each core's queue is first in, first
 * out; the end of calls is in any order.
 *
 * batch: each core joins what waits until min_size or flush_timeout and cuts at max_size
 * (queue_batch.c). A request is finished when its last part is; with wait_for_result its sender hears
 * then, of the first failure.
 *
 * storage: requests are in the store of an extension (storage/journal); the sender hears when its request is
 * committed there, and what is not done at the end is sent after the next start. At least once.
 *
 * block_on_overflow: nothing blocks here. A request that finds no room is taken in, and its sender's
 * ticket stays open until there is room, which is what a blocked caller sees. The bytes stay
 * charged, so memory is bounded by the receivers' budget and the memory_limiter. An owner that
 * moves its own data on (SW_ADMIT_ANY: the batch processor) is refused instead and keeps it.
 */
#ifndef SW_QUEUE_SENDING_QUEUE_H
#define SW_QUEUE_SENDING_QUEUE_H

#include "dataplane/pipeline/push.h"
#include "storage/queue/sending_queue_conf.h"

/** What the queue's parts on all cores share. */
struct sw_queue_pool;

/** Control thread, before the cores run.
 *
 * @param conf  lives as long as the pool; NULL or not enabled: no queue
 * @return 0, SW_E_NOMEM, or SW_E_UNSUPPORTED, SW_E_INVALID with env->error naming the key
 */
SW_CHECKED int sw_queue_pool_new(
    const struct sw_stage_env *env,
    const struct sw_sending_queue_conf *conf,
    struct sw_queue_pool **ret_pool
);
/** All stages are freed. NULL is legal. */
void sw_queue_pool_free(struct sw_queue_pool *pool);

/** What counts against queue_size now, in units of the sizer, over the whole process. Any thread. */
int64_t sw_queue_pool_used(struct sw_queue_pool *pool);

/** The stage of one core. Control thread.
 *
 * @param push  what requests go to; taken over on success
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_sending_queue_new(
    const struct sw_stage_env *env,
    struct sw_queue_pool *pool,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
);

#endif
