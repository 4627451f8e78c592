/* What unit tests of stages need: a core that is stepped by hand in virtual time, batches of small
 * spans, a stage at the end that keeps what it gets, and a push that answers as told. */
#ifndef SW_TESTS_LIB_BENCH_H
#define SW_TESTS_LIB_BENCH_H

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/base/metric.h"
#include "dataplane/pipeline/balance.h"
#include "dataplane/pipeline/push.h"
#include "dataplane/pipeline/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BENCH_START_NS (1000 * SW_NS_PER_S)
#define BENCH_WALL_NS  (UINT64_C(1760000000) * SW_NS_PER_S)

static inline void bench_core_init(struct sw_core *core, struct sw_account *account)
{
    memset(core, 0, sizeof(*core));
    core->cores_count = 1;
    core->now_ns = BENCH_START_NS;
    core->wall_ns = BENCH_WALL_NS;
    core->account = account;
    sw_rand_init(&core->rand, 7);
}

/** One turn at the time it is now. */
static inline void bench_turn(struct sw_core *core)
{
    sw_timers_run(&core->timers, core->now_ns, 1000000);
    sw_core_run_tasks(core);
}

/** Time goes on to the next thing that is due, up to ns from now; everything due is done. */
static inline void bench_advance(struct sw_core *core, uint64_t ns)
{
    uint64_t end_ns = core->now_ns + ns;
    for (;;) {
        while (core->tasks_first != NULL || sw_timers_next_ns(&core->timers) <= core->now_ns) {
            bench_turn(core);
        }
        uint64_t next_ns = SW_MIN(sw_timers_next_ns(&core->timers), end_ns);
        core->wall_ns += next_ns - core->now_ns;
        core->now_ns = next_ns;
        if (next_ns == end_ns && sw_timers_next_ns(&core->timers) > end_ns) {
            return;
        }
    }
}

static inline uint8_t *bench_put_len(uint8_t *to, uint8_t tag, uint32_t len)
{
    *to++ = tag;
    while (len >= 0x80) {
        *to++ = (uint8_t)(len | 0x80);
        len >>= 7;
    }
    *to++ = (uint8_t)len;
    return to;
}

#define BENCH_SPAN_BYTES 36

/** A request with one resource, one scope and spans whose IDs count up from `from`. */
static inline struct sw_batch *
bench_batch_in(struct sw_account *account, uint32_t from, uint32_t items, uint32_t slack)
{
    uint32_t scope_len = items * BENCH_SPAN_BYTES;
    struct sw_buf *buf = sw_buf_new(account, scope_len + 32 + slack);
    assert_non_null(buf);
    uint8_t head[8];
    uint32_t head_len = (uint32_t)(bench_put_len(head, 0x12, scope_len) - head);
    uint8_t *at = bench_put_len(buf->data, 0x0a, head_len + scope_len);
    at = bench_put_len(at, 0x12, scope_len);
    for (uint32_t i = 0; i < items; i++) {
        at = bench_put_len(at, 0x12, BENCH_SPAN_BYTES - 2);
        at = bench_put_len(at, 0x0a, 16);
        memset(at, 0, 16);
        for (unsigned k = 0; k < 4; k++) {
            at[15 - k] = (uint8_t)((from + i + 1) >> (8 * k));
        }
        at = bench_put_len(at + 16, 0x12, 8);
        memset(at, 1, 8);
        at = bench_put_len(at + 8, 0x2a, 4);
        memcpy(at, "span", 4);
        at += 4;
    }
    buf->size = (uint32_t)(at - buf->data);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_non_null(batch);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, items), 0);
    sw_buf_unref(buf);
    return batch;
}

static inline struct sw_batch *bench_batch(uint32_t items)
{
    return bench_batch_in(NULL, 0, items, 0);
}

/* ---- a stage at the end ---- */

#define BENCH_KEPT_MAX 4096

struct bench_keeper {
    struct sw_stage stage;
    int refuse;      // what admit answers; 0: takes
    bool hold;       // tickets stay open until bench_keeper_release
    int outcome_err; // with what they are settled
    uint32_t sizes[BENCH_KEPT_MAX];
    uint64_t at_ns[BENCH_KEPT_MAX];
    uint32_t kept_count;
    uint64_t items_count;
    int64_t dropped_items;
    int dropped_err;
    struct sw_batch *last; // the last batch, if keep_last
    bool keep_last;
    struct sw_ticket *held[16];
    uint32_t held_count;
};

static inline int
bench_keeper_admit(struct sw_stage *stage, const struct sw_batch *batch, enum sw_admit mode)
{
    return ((struct bench_keeper *)stage)->refuse;
}

static inline void bench_keeper_retract(struct sw_stage *stage, const struct sw_batch *batch) {}

static inline void
bench_keeper_consume(struct sw_stage *stage, struct sw_batch *batch, struct sw_ticket *ticket)
{
    struct bench_keeper *keeper = (struct bench_keeper *)stage;
    assert_true(keeper->kept_count < BENCH_KEPT_MAX);
    keeper->sizes[keeper->kept_count] = batch->items_count;
    keeper->at_ns[keeper->kept_count++] = stage->core->now_ns;
    keeper->items_count += batch->items_count;
    if (keeper->keep_last) {
        sw_batch_free(keeper->last);
        keeper->last = batch;
    } else {
        sw_batch_free(batch);
    }
    if (keeper->hold) {
        assert_true(keeper->held_count < SW_ARRAY_SIZE(keeper->held));
        keeper->held[keeper->held_count++] = ticket;
    } else {
        sw_ticket_settle_err(ticket, keeper->outcome_err);
    }
}

static inline void bench_keeper_drop(struct sw_stage *stage, const struct sw_batch *batch, int err)
{
    struct bench_keeper *keeper = (struct bench_keeper *)stage;
    keeper->dropped_items += batch->items_count;
    keeper->dropped_err = err;
}

static const struct sw_stage_ops bench_keeper_ops = {
    .admit = bench_keeper_admit,
    .retract = bench_keeper_retract,
    .consume = bench_keeper_consume,
    .drop = bench_keeper_drop,
};

static inline void bench_keeper_init(struct bench_keeper *keeper, struct sw_core *core)
{
    memset(keeper, 0, sizeof(*keeper));
    keeper->stage = (struct sw_stage){.ops = &bench_keeper_ops, .core = core, .id = "keeper"};
}

/** Settles the oldest ticket that is held. */
static inline void bench_keeper_release(struct bench_keeper *keeper, int err)
{
    assert_true(keeper->held_count > 0);
    struct sw_ticket *ticket = keeper->held[0];
    keeper->held_count--;
    memmove(keeper->held, keeper->held + 1, keeper->held_count * sizeof(ticket));
    sw_ticket_settle_err(ticket, err);
}

/* ---- a push that answers as told ---- */

#define BENCH_CALLS_MAX 4096

struct bench_push {
    struct sw_push push;
    int reserve_err; // what reserve answers
    bool at_once;    // answers from inside start, with `answer`
    struct sw_outcome answer;
    struct sw_push_call *calls[BENCH_CALLS_MAX]; // under way
    uint32_t calls_count;
    uint32_t starts_count;
    uint64_t started_ns[BENCH_CALLS_MAX];
    uint32_t items[BENCH_CALLS_MAX];
    uint64_t deadline_ns;
    bool stopped;
    bool closed;
    bool freed;
};

static inline int bench_push_reserve(struct sw_push *push)
{
    return ((struct bench_push *)push)->reserve_err;
}

static inline void bench_push_start(struct sw_push *push, struct sw_push_call *call)
{
    struct bench_push *bench = (struct bench_push *)push;
    assert_true(bench->starts_count < BENCH_CALLS_MAX);
    bench->started_ns[bench->starts_count] = push->core->now_ns;
    bench->items[bench->starts_count++] = call->batch->items_count;
    bench->deadline_ns = call->deadline_ns;
    if (bench->closed) {
        sw_push_done_err(call, SW_E_SHUTDOWN);
    } else if (bench->at_once) {
        struct sw_outcome outcome = bench->answer;
        sw_buf_ref(outcome.text);
        call->done(call, &outcome);
    } else {
        bench->calls[bench->calls_count++] = call;
    }
}

static inline void bench_push_forget(struct bench_push *bench, struct sw_push_call *call)
{
    uint32_t i = 0;
    while (bench->calls[i] != call) {
        i++;
        assert_true(i < bench->calls_count);
    }
    bench->calls_count--;
    memmove(
        bench->calls + i, bench->calls + i + 1, (bench->calls_count - i) * sizeof(bench->calls[0])
    );
}

static inline void bench_push_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    bench_push_forget((struct bench_push *)push, call);
    sw_push_done_err(call, err);
}

static inline void bench_push_stop(struct sw_push *push, bool keep_retrying)
{
    ((struct bench_push *)push)->stopped = true;
}

static inline void bench_push_close(struct sw_push *push)
{
    ((struct bench_push *)push)->closed = true;
}

static inline void bench_push_free(struct sw_push *push)
{
    struct bench_push *bench = (struct bench_push *)push;
    assert_int_equal(bench->calls_count, 0);
    bench->freed = true;
}

static const struct sw_push_ops bench_push_ops = {
    .reserve = bench_push_reserve,
    .start = bench_push_start,
    .cancel = bench_push_cancel,
    .stop = bench_push_stop,
    .close = bench_push_close,
    .free = bench_push_free,
};

static inline void bench_push_init(struct bench_push *bench, struct sw_core *core)
{
    memset(bench, 0, sizeof(*bench));
    bench->push = (struct sw_push){.ops = &bench_push_ops, .core = core};
}

/** Answers the oldest call under way. outcome NULL: OK. */
static inline void bench_push_answer(struct bench_push *bench, const struct sw_outcome *outcome)
{
    assert_true(bench->calls_count > 0);
    struct sw_push_call *call = bench->calls[0];
    bench_push_forget(bench, call);
    struct sw_outcome copy = outcome != NULL ? *outcome : (struct sw_outcome){0};
    call->done(call, &copy);
}

/* ---- tickets ---- */

struct bench_ticket {
    struct sw_ticket ticket;
    unsigned settled_count;
    int err;
    int grpc_code;
    char text[512];
};

static inline void bench_ticket_settled(struct sw_ticket *ticket)
{
    struct bench_ticket *bench = SW_CONTAINER_OF(ticket, struct bench_ticket, ticket);
    bench->settled_count++;
    bench->err = ticket->outcome.err;
    bench->grpc_code = ticket->outcome.grpc_code;
    const struct sw_buf *text = ticket->outcome.text;
    if (text != NULL) {
        snprintf(
            bench->text, sizeof(bench->text), "%.*s", (int)text->size, (const char *)text->data
        );
    } else {
        snprintf(bench->text, sizeof(bench->text), "%s", sw_err_text(bench->err));
    }
    sw_outcome_fini(&ticket->outcome);
}

/** Admits and hands over; the ticket says what came of it. @return what admit said (the batch is then
 * freed) */
static inline int bench_hand_over_mode(
    struct sw_stage *stage,
    struct sw_batch *batch,
    struct bench_ticket *ticket,
    enum sw_admit mode
)
{
    memset(ticket, 0, sizeof(*ticket));
    int err = sw_stage_admit(stage, batch, mode);
    if (err != SW_OK) {
        sw_batch_free(batch);
        return err;
    }
    sw_ticket_init(&ticket->ticket, bench_ticket_settled);
    sw_stage_consume(stage, batch, &ticket->ticket);
    return SW_OK;
}

static inline int
bench_hand_over(struct sw_stage *stage, struct sw_batch *batch, struct bench_ticket *ticket)
{
    return bench_hand_over_mode(stage, batch, ticket, SW_ADMIT_ALL);
}

/** Value of the series of a family whose labels include these, summed over all that match; -1: none. */
struct bench_metric_question {
    const char *name;
    const char *label;
    const char *value;
    double sum;
    bool found;
};

static inline void bench_metric_visit(void *context, const struct sw_metric_sample *sample)
{
    struct bench_metric_question *question = context;
    if (strcmp(sample->family->name, question->name) != 0) {
        return;
    }
    bool match = question->label == NULL;
    for (unsigned i = 0; i < sample->labels_count && !match; i++) {
        match = strcmp(sample->labels[i].name, question->label) == 0
                && strcmp(sample->labels[i].value, question->value) == 0;
    }
    if (match) {
        question->found = true;
        question->sum += sample->value;
    }
}

static inline double
bench_metric(struct sw_metrics *metrics, const char *name, const char *label, const char *value)
{
    struct bench_metric_question question = {.name = name, .label = label, .value = value};
    sw_metrics_each(metrics, bench_metric_visit, &question);
    return question.found ? question.sum : -1;
}

#endif
