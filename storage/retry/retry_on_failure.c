#include "storage/retry/retry_on_failure.h"

#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/otlp/client.h"

#include <stdio.h>
#include <string.h>

// A copy goes on in the next turn after so many bytes (well below 1 ms, page faults included).
#define COPY_SLICE_BYTES (512u * 1024)
// A call that uses at least this share of the buffers it pins has them for itself.
#define OWN_SHARE_NUM 3
#define OWN_SHARE_DEN 4
// Finished states are kept for the next calls.
#define SPARE_MAX 64

struct retry;

/* One call and what became of its attempts so far. */
struct repeat {
    struct sw_push_call attempt; // what the next layer is given
    struct sw_push_call *call;   // the caller's
    struct retry *retry;
    struct repeat *next; // waiting list, spare list
    struct repeat *prev;
    struct sw_timer timer;
    struct sw_outcome last; // of the attempt before the wait
    double interval_ns;     // of the next wait, without jitter
    uint64_t give_up_ns;    // SW_TIME_NEVER: for ever
    struct sw_task copying;
    struct sw_batch_cursor cursor;
    struct sw_buf *copy; // being filled; NULL: nothing to copy
    bool waits;
};

struct retry {
    struct sw_push push;
    struct sw_push *next;
    const char *id;
    const struct sw_retry_on_failure_conf *conf; // NULL: off
    uint64_t timeout_ns;
    struct sw_account *account;
    struct repeat *waiting;
    uint32_t waiting_count;
    struct repeat *spare;
    uint32_t spare_count;
    bool stopping;
    int stop_err; // what ends what would be repeated
};

static const struct sw_event_kind will_retry = {
    .level = SW_EVENT_INFO,
    .message = "Exporting failed. Will retry the request after interval.",
    .component_kind = "exporter",
    .text_key = "error",
};

/* ---- states ---- */

static struct repeat *repeat_new(struct retry *retry)
{
    struct repeat *repeat = retry->spare;
    if (repeat != NULL) {
        retry->spare = repeat->next;
        retry->spare_count--;
        return repeat;
    }
    return sw_alloc(sizeof(*repeat));
}

static void repeat_free(struct repeat *repeat)
{
    struct retry *retry = repeat->retry;
    if (retry->spare_count == SPARE_MAX) {
        sw_free(repeat);
        return;
    }
    repeat->next = retry->spare;
    retry->spare = repeat;
    retry->spare_count++;
}

static const char *text_of(const struct sw_outcome *outcome, int *ret_len)
{
    const char *text = sw_err_text(outcome->err);
    *ret_len = (int)strlen(text);
    if (outcome->text != NULL) {
        text = (const char *)outcome->text->data;
        *ret_len = (int)outcome->text->size;
    }
    return text;
}

/* What the Collector puts in front of the error, by fmt.Errorf. A bare gRPC status, whose text is its
 * message alone, is spelt out as Go prints it; permanent and throttled ones are already. */
static void prefix(struct sw_outcome *outcome, const char *words)
{
    int len = 0;
    const char *text = text_of(outcome, &len);
    bool bare = outcome->grpc_code != 0 && !outcome->permanent && outcome->retry_after_ns == 0;
    const char *name = bare ? sw_grpc_code_name(outcome->grpc_code) : NULL;
    const char *before = name != NULL ? "rpc error: code = " : "";
    const char *between = name != NULL ? " desc = " : "";
    name = name != NULL ? name : "";
    size_t size = strlen(words) + strlen(before) + strlen(name) + strlen(between) + (size_t)len + 1;
    struct sw_buf *joined = sw_buf_new(NULL, (uint32_t)size);
    if (joined == NULL) {
        return; // the plain text must do
    }
    snprintf((char *)joined->data, size, "%s%s%s%s%.*s", words, before, name, between, len, text);
    joined->size = (uint32_t)size - 1;
    sw_buf_unref(outcome->text);
    outcome->text = joined;
}

static void finish(struct repeat *repeat, struct sw_outcome *outcome)
{
    struct sw_push_call *call = repeat->call;
    call->batch = repeat->attempt.batch;
    struct sw_outcome final = *outcome;
    repeat_free(repeat);
    call->done(call, &final);
}

/* ---- waiting ---- */

static void attempt(struct repeat *repeat)
{
    struct retry *retry = repeat->retry;
    uint64_t now_ns = retry->push.core->now_ns;
    repeat->attempt.deadline_ns =
        retry->timeout_ns > 0 ? now_ns + retry->timeout_ns : SW_TIME_NEVER;
    sw_push_start(retry->next, &repeat->attempt);
}

static void drop_copy(struct repeat *repeat)
{
    sw_core_task_cancel(repeat->retry->push.core, &repeat->copying);
    sw_buf_unref(repeat->copy);
    repeat->copy = NULL;
}

static void leave_waiting(struct repeat *repeat)
{
    struct retry *retry = repeat->retry;
    sw_timer_cancel(&retry->push.core->timers, &repeat->timer);
    drop_copy(repeat);
    if (repeat->prev != NULL) {
        repeat->prev->next = repeat->next;
    } else {
        retry->waiting = repeat->next;
    }
    if (repeat->next != NULL) {
        repeat->next->prev = repeat->prev;
    }
    retry->waiting_count--;
    repeat->waits = false;
}

static void on_timer(struct sw_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    struct repeat *repeat = SW_CONTAINER_OF(timer, struct repeat, timer);
    leave_waiting(repeat);
    sw_outcome_fini(&repeat->last);
    attempt(repeat);
}

static void copy_ready(struct repeat *repeat)
{
    struct sw_batch *from = repeat->attempt.batch;
    struct sw_batch *own = sw_batch_new(from->signal);
    struct sw_buf *buf = repeat->copy;
    buf->size = (uint32_t)from->bytes;
    if (own == NULL
        || sw_batch_add_raw(own, buf, buf->data, buf->size, from->items_count) != SW_OK) {
        sw_batch_free(own);
        return; // without memory it goes on pinning
    }
    own->arrived_ns = from->arrived_ns;
    own->client = sw_client_ref(from->client);
    own->branch = from->branch;
    repeat->attempt.batch = own;
    sw_batch_free(from);
}

static bool on_copy(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    struct repeat *repeat = SW_CONTAINER_OF(task, struct repeat, copying);
    struct sw_piece piece;
    uint32_t left = COPY_SLICE_BYTES;
    while (left > 0 && sw_batch_cursor_next(&repeat->cursor, left, &piece)) {
        memcpy(repeat->copy->data + repeat->copy->size, piece.data, piece.len);
        repeat->copy->size += piece.len;
        left -= piece.len;
    }
    if (repeat->copy->size < repeat->attempt.batch->bytes) {
        return true;
    }
    copy_ready(repeat);
    sw_buf_unref(repeat->copy);
    repeat->copy = NULL;
    return false;
}

// Without memory for a copy the part goes on pinning what it came in.
static void begin_copy(struct repeat *repeat)
{
    struct retry *retry = repeat->retry;
    const struct sw_batch *batch = repeat->attempt.batch;
    if (batch->bytes * OWN_SHARE_DEN >= sw_batch_pinned_bytes(batch) * OWN_SHARE_NUM
        || batch->bytes > UINT32_MAX) {
        return;
    }
    repeat->copy = sw_buf_new(retry->account, (uint32_t)batch->bytes);
    if (repeat->copy == NULL) {
        return;
    }
    sw_batch_cursor_init(&repeat->cursor, batch);
    sw_core_task(retry->push.core, &repeat->copying);
}

static void wait(struct repeat *repeat, uint64_t delay_ns)
{
    struct retry *retry = repeat->retry;
    repeat->waits = true;
    repeat->prev = NULL;
    repeat->next = retry->waiting;
    if (retry->waiting != NULL) {
        retry->waiting->prev = repeat;
    }
    retry->waiting = repeat;
    retry->waiting_count++;
    sw_timer_set(&retry->push.core->timers, &repeat->timer, retry->push.core->now_ns + delay_ns);
    begin_copy(repeat);
}

/* The formula of cenkalti/backoff: the jitter comes after the cap, so that a wait may reach
 * max_interval * (1 + randomization_factor). */
static uint64_t next_delay_ns(struct repeat *repeat)
{
    const struct sw_retry_on_failure_conf *conf = repeat->retry->conf;
    double current_ns = repeat->interval_ns;
    double delta_ns = conf->randomization_factor * current_ns;
    double delay_ns = current_ns;
    if (delta_ns > 0) {
        double unit = sw_rand_unit(&repeat->retry->push.core->rand);
        delay_ns = current_ns - delta_ns + unit * (2 * delta_ns + 1);
    }
    // By Go's rules a multiplier of 0 gives an interval of 0.
    double max_ns = (double)conf->max_interval_ns;
    bool capped = conf->multiplier > 0 && current_ns >= max_ns / conf->multiplier;
    repeat->interval_ns = capped ? max_ns : current_ns * conf->multiplier;
    return delay_ns >= 0x1p62 ? UINT64_C(1) << 62 : (uint64_t)delay_ns;
}

static const char *words_of(int err)
{
    return err == SW_E_SHUTDOWN ? "interrupted due to shutdown: "
                                : "request is cancelled or timed out: ";
}

static void attempted(struct sw_push_call *inner, struct sw_outcome *outcome)
{
    struct repeat *repeat = SW_CONTAINER_OF(inner, struct repeat, attempt);
    struct retry *retry = repeat->retry;
    if (outcome->err == SW_OK || retry->conf == NULL || outcome->err == SW_E_SHUTDOWN) {
        finish(repeat, outcome);
        return;
    }
    if (outcome->permanent) {
        prefix(outcome, "not retryable error: ");
        finish(repeat, outcome);
        return;
    }
    uint64_t delay_ns = next_delay_ns(repeat);
    delay_ns = SW_MAX(delay_ns, outcome->retry_after_ns);
    uint64_t now_ns = retry->push.core->now_ns;
    if (repeat->give_up_ns != SW_TIME_NEVER
        && delay_ns > repeat->give_up_ns - SW_MIN(now_ns, repeat->give_up_ns)) {
        prefix(outcome, "no more retries left: ");
        finish(repeat, outcome);
        return;
    }
    if (retry->stopping) {
        prefix(outcome, words_of(retry->stop_err));
        outcome->err = retry->stop_err;
        finish(repeat, outcome);
        return;
    }
    int len = 0;
    const char *text = text_of(outcome, &len);
    struct sw_core *core = retry->push.core;
    sw_event_leave(
        core->events, &will_retry, retry->id, NULL, core->wall_ns, 0, text, (uint32_t)len
    );
    repeat->last = *outcome;
    wait(repeat, delay_ns);
}

/* ---- the layer ---- */

static int retry_reserve(struct sw_push *push)
{
    struct retry *retry = (struct retry *)push;
    if (retry->spare == NULL) {
        retry->spare = sw_zalloc(sizeof(*retry->spare));
        if (retry->spare == NULL) {
            return SW_E_NOMEM;
        }
        retry->spare_count = 1;
    }
    // An attempt that finds no memory is made again; without repetitions it has to be there too.
    return sw_push_reserve(retry->next);
}

static void retry_start(struct sw_push *push, struct sw_push_call *call)
{
    struct retry *retry = (struct retry *)push;
    struct repeat *repeat = repeat_new(retry);
    if (repeat == NULL) {
        sw_push_done_err(call, SW_E_NOMEM);
        return;
    }
    *repeat = (struct repeat){
        .attempt = {.batch = call->batch, .done = attempted},
        .call = call,
        .retry = retry,
        .give_up_ns = SW_TIME_NEVER,
        .copying.run = on_copy,
    };
    call->below = repeat;
    sw_timer_init(&repeat->timer, on_timer);
    if (retry->conf != NULL) {
        repeat->interval_ns = (double)retry->conf->initial_interval_ns;
        if (retry->conf->max_elapsed_time_ns > 0) {
            repeat->give_up_ns = push->core->now_ns + (uint64_t)retry->conf->max_elapsed_time_ns;
        }
    }
    attempt(repeat);
}

static void interrupt(struct repeat *repeat, int err)
{
    leave_waiting(repeat);
    struct sw_outcome outcome = repeat->last;
    prefix(&outcome, words_of(err));
    outcome.err = err;
    finish(repeat, &outcome);
}

static void retry_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct retry *retry = (struct retry *)push;
    struct repeat *repeat = call->below;
    if (repeat->waits) {
        interrupt(repeat, err);
        return;
    }
    bool stopping = retry->stopping;
    int stop_err = retry->stop_err;
    retry->stopping = true; // what comes out of the attempt now is the end
    retry->stop_err = err;
    sw_push_cancel(retry->next, &repeat->attempt, err);
    retry->stopping = stopping;
    retry->stop_err = stop_err;
}

static void retry_stop(struct sw_push *push, bool keep_retrying)
{
    struct retry *retry = (struct retry *)push;
    if (!keep_retrying) {
        retry->stopping = true;
        retry->stop_err = SW_E_SHUTDOWN;
        while (retry->waiting != NULL) {
            interrupt(retry->waiting, SW_E_SHUTDOWN);
        }
    }
    sw_push_stop(retry->next, keep_retrying);
}

static int retry_open(struct sw_push *push)
{
    return sw_push_open(((struct retry *)push)->next);
}

static void retry_close(struct sw_push *push)
{
    sw_push_close(((struct retry *)push)->next);
}

static void retry_free(struct sw_push *push)
{
    struct retry *retry = (struct retry *)push;
    SW_ASSERT(retry->waiting == NULL);
    while (retry->spare != NULL) {
        struct repeat *repeat = retry->spare;
        retry->spare = repeat->next;
        sw_free(repeat);
    }
    sw_push_free(retry->next);
    sw_free(retry);
}

static const struct sw_push_ops retry_ops = {
    .open = retry_open,
    .reserve = retry_reserve,
    .start = retry_start,
    .cancel = retry_cancel,
    .stop = retry_stop,
    .close = retry_close,
    .free = retry_free,
};

int sw_retry_new(
    struct sw_core *core,
    const char *id,
    const struct sw_retry_on_failure_conf *conf,
    uint64_t timeout_ns,
    struct sw_account *account,
    struct sw_push *next,
    struct sw_push **ret_push
)
{
    struct retry *retry = sw_zalloc(sizeof(*retry));
    if (retry == NULL) {
        return SW_E_NOMEM;
    }
    retry->push = (struct sw_push){.ops = &retry_ops, .core = core};
    retry->next = next;
    retry->id = id;
    retry->conf = conf != NULL && conf->enabled ? conf : NULL;
    retry->timeout_ns = timeout_ns;
    retry->account = account;
    *ret_push = &retry->push;
    return SW_OK;
}

uint32_t sw_retry_waiting_count(const struct sw_push *push)
{
    return ((const struct retry *)push)->waiting_count;
}
