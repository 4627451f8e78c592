/* Shared between the queue and the stage that stands in its place when it is off. */
#ifndef SW_QUEUE_QUEUE_INTERNAL_H
#define SW_QUEUE_QUEUE_INTERNAL_H

#include "storage/queue/sending_queue.h"

int sw_synchronous_new(
    const struct sw_stage_env *env,
    struct sw_core *core,
    struct sw_push *push,
    struct sw_stage **ret_stage
);

#endif
