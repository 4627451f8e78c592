/* The contract below the owner of an exporter's data: queue → export (counts) → retry → attempt.
 *
 * A call is one request on its way to a backend. Each layer is a struct sw_push that is given calls
 * and ends each exactly once through `done`; it may hand them to a push of its own below. So storage
 * need not know who sends. Everything on one core, nothing blocks.
 */
#ifndef SW_PIPELINE_PUSH_H
#define SW_PIPELINE_PUSH_H

#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/stage.h"

struct sw_push;

/** One request under way. Lives in the memory of whoever starts it, until done. */
struct sw_push_call {
    /** Owned by the caller before start and after done. In between a layer may replace it: by a copy
     * that pins nobody's buffers, or, when it failed in part, by the part that failed. */
    struct sw_batch *batch;
    /** The end. outcome and its references become the caller's. May be called from inside start. */
    void (*done)(struct sw_push_call *call, struct sw_outcome *outcome);
    uint64_t deadline_ns; /**< of this attempt, core clock; SW_TIME_NEVER: none */
    void *below;          /**< for the layer that was given the call */
    const char *path;     /**< gRPC: :path of this call, constant; NULL: the channel's */
    /** What HTTP attempts tell, for metrics: status of the answer (0: none came) and bytes of the
     * body as it was sent. */
    unsigned http_status;
    uint64_t body_bytes;
};

struct sw_push_ops {
    /** Once, on the core, after everything is wired: connect, arm timers. May be NULL. */
    SW_CHECKED int (*open)(struct sw_push *push);
    /** Sees to it that the layer's own part of the next start needs no memory, for owners that would
     * rather wait than lose. NULL: it needs none. @return 0 or SW_E_NOMEM */
    SW_CHECKED int (*reserve)(struct sw_push *push);
    /** Begins the call; done follows exactly once, from inside or later. */
    void (*start)(struct sw_push *push, struct sw_push_call *call);
    /** Ends a call that was started and is not done: done is called from inside, with err (a
     * result that has arrived already may come instead). */
    void (*cancel)(struct sw_push *push, struct sw_push_call *call, int err);
    /** The drain begins: connections may be needed a little longer, repetitions end unless
     * keep_retrying. Calls that wait for a repetition are done from inside, with SW_E_SHUTDOWN. */
    void (*stop)(struct sw_push *push, bool keep_retrying);
    /** No call is under way and none that is worth an attempt will come: says goodbye to the peer.
     * A call that is started after this ends at once with SW_E_SHUTDOWN. Idempotent. On the core. */
    void (*close)(struct sw_push *push);
    /** No call is under way. NULL-safe through sw_push_free. */
    void (*free)(struct sw_push *push);
};

struct sw_push {
    const struct sw_push_ops *ops;
    struct sw_core *core;
};

static inline void sw_push_start(struct sw_push *push, struct sw_push_call *call)
{
    push->ops->start(push, call);
}

static inline void sw_push_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    push->ops->cancel(push, call, err);
}

static inline void sw_push_stop(struct sw_push *push, bool keep_retrying)
{
    push->ops->stop(push, keep_retrying);
}

SW_CHECKED static inline int sw_push_reserve(struct sw_push *push)
{
    return push->ops->reserve != NULL ? push->ops->reserve(push) : SW_OK;
}

SW_CHECKED static inline int sw_push_open(struct sw_push *push)
{
    return push->ops->open != NULL ? push->ops->open(push) : SW_OK;
}

static inline void sw_push_close(struct sw_push *push)
{
    push->ops->close(push);
}

static inline void sw_push_free(struct sw_push *push)
{
    if (push != NULL) {
        push->ops->free(push);
    }
}

/** Ends a call with a plain error (or 0). */
static inline void sw_push_done_err(struct sw_push_call *call, int err)
{
    struct sw_outcome outcome = {.err = err};
    call->done(call, &outcome);
}

/** Where in the books of its branch a finished request goes. */
static inline enum sw_branch_flow sw_outcome_book(const struct sw_outcome *outcome)
{
    if (outcome->err == SW_OK) {
        return SW_BRANCH_DELIVERED;
    }
    if (outcome->err == SW_E_SHUTDOWN) {
        return SW_BRANCH_FAILED_SHUTDOWN;
    }
    if (outcome->err == SW_E_NOMEM) {
        return SW_BRANCH_FAILED_MEMORY;
    }
    return outcome->permanent ? SW_BRANCH_FAILED_PERMANENT : SW_BRANCH_FAILED_RETRIES;
}

/** Bytes of the buffers that a batch pins. A buffer that shows up again after another is counted
 * again: rather too much than too little. */
static inline uint64_t sw_batch_pinned_bytes(const struct sw_batch *batch)
{
    uint64_t bytes = 0;
    const struct sw_buf *last = NULL;
    for (uint32_t i = 0; i < batch->pieces_count; i++) {
        const struct sw_buf *buf = batch->pieces[i].buf;
        if (buf != NULL && buf != last) {
            bytes += buf->charged_bytes;
            last = buf;
        }
    }
    return bytes;
}

#endif
