#include "dataplane/send/debug_exporter.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/debug_exporter_conf.h"
#include "dataplane/send/debug_text.h"
#include "dataplane/send/export.h"
#include "storage/files/files.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

// Text of one event: the most that one slice makes, give or take a record.
#define SLICE_BYTES (32u << 10)
// So much of the core's ring stays free for what others have to tell; more text waits.
#define ROOM_LEFT 128u
#define WAIT_NS   (10 * SW_NS_PER_MS)
#define TICK_NS   SW_NS_PER_S
#define SPARE_MAX 64
// Texts on their way to output_paths; more wait.
#define OUTPUTS_MAX 64u

/* The sampler of all cores, zap's: of the messages of each second the first are shown and every n-th
 * after them. It counts requests, each with all its text. */
struct shared {
    struct sw_queue_pool *pool;
    struct sw_file **outputs; // of output_paths; without them the log
    size_t outputs_count;
    bool internal;
    uint64_t initial;
    uint64_t thereafter;
    _Atomic uint64_t tick_ends_ns;
    _Atomic uint64_t count;
};

/* A request whose text is being made. */
struct job {
    struct sw_push_call *call;
    struct sw_debug_text text;
    struct job *next;
};

/* A text on its way to one of output_paths. */
struct output {
    struct sw_file_job file;
    LIST_ENTRY(output) link;
    struct debug *debug;
    struct sw_buf *text;
};

struct debug {
    struct sw_push push;
    struct shared *shared;
    struct sw_account *account;
    const char *id;
    int verbosity;
    struct job *first; // in order of arrival; only the first is worked on
    struct job *last;
    struct job *spare;
    uint32_t spare_count;
    struct sw_task task;
    struct sw_timer wait; // there is no room
    LIST_HEAD(, output) outputs;
    uint32_t outputs_count;
    bool closed;
};

static const struct sw_event_kind summaries[SW_SIGNALS_COUNT] = {
    [SW_TRACES] =
        {
            .level = SW_EVENT_INFO,
            .message = "Traces",
            .component_kind = "exporter",
            .count_key = "resource spans",
            .items_key = "spans",
        },
    [SW_METRICS] =
        {
            .level = SW_EVENT_INFO,
            .message = "Metrics",
            .component_kind = "exporter",
            .count_key = "resource metrics",
            .second_key = "metrics",
            .items_key = "data points",
        },
    [SW_LOGS] =
        {
            .level = SW_EVENT_INFO,
            .message = "Logs",
            .component_kind = "exporter",
            .count_key = "resource logs",
            .items_key = "log records",
        },
};
static const struct sw_event_kind records = {
    .level = SW_EVENT_INFO,
    .component_kind = "exporter",
};

static bool sampled(struct shared *shared, uint64_t now_ns)
{
    uint64_t ends_ns = atomic_load_explicit(&shared->tick_ends_ns, memory_order_relaxed);
    uint64_t number = 1;
    // Whoever moves the end of the second on begins the count; who comes too late counts on.
    if (now_ns >= ends_ns
        && atomic_compare_exchange_strong_explicit(
            &shared->tick_ends_ns,
            &ends_ns,
            now_ns + TICK_NS,
            memory_order_relaxed,
            memory_order_relaxed
        )) {
        atomic_store_explicit(&shared->count, 1, memory_order_relaxed);
    } else {
        number = atomic_fetch_add_explicit(&shared->count, 1, memory_order_relaxed) + 1;
    }
    if (number <= shared->initial) {
        return true;
    }
    return shared->thereafter > 0 && (number - shared->initial) % shared->thereafter == 0;
}

/* ---- output_paths ---- */

static void output_free(struct output *output)
{
    LIST_REMOVE(output, link);
    output->debug->outputs_count--;
    sw_buf_unref(output->text);
    sw_free(output);
}

static void output_returned(struct sw_message *message, void *sender)
{
    output_free((struct output *)message); // what cannot be written is lost, as with zap
}

// Takes the text over.
static void put_outputs(struct debug *debug, struct sw_buf *text)
{
    struct shared *shared = debug->shared;
    for (size_t i = 0; i < shared->outputs_count && text != NULL; i++) {
        struct output *output = sw_zalloc(sizeof(*output));
        if (output == NULL) {
            break;
        }
        output->file.message.returned = output_returned;
        output->file.file = shared->outputs[i];
        output->file.text = (struct sw_bytes){text->data, text->size};
        output->debug = debug;
        output->text = sw_buf_ref(text);
        LIST_INSERT_HEAD(&debug->outputs, output, link);
        debug->outputs_count++;
        sw_file_send(debug->push.core->mailbox, &output->file);
    }
    sw_buf_unref(text);
}

// As zap's console encoder writes it without time, level and caller.
static void put_summary(struct debug *debug, const struct sw_event *event)
{
    const struct sw_event_kind *kind = event->kind;
    char second[64] = "";
    char line[256];
    if (kind->second_key != NULL) {
        snprintf(
            second, sizeof(second), "\"%s\": %lld, ", kind->second_key, (long long)event->second
        );
    }
    int len = snprintf(
        line,
        sizeof(line),
        "%s\t{\"%s\": %lld, %s\"%s\": %lld}\n",
        kind->message,
        kind->count_key,
        (long long)event->count,
        second,
        kind->items_key,
        (long long)event->items
    );
    put_outputs(debug, sw_buf_copy(debug->account, line, (uint32_t)len));
}

static bool has_room(const struct debug *debug)
{
    if (debug->shared->internal) {
        return sw_events_room(debug->push.core->events) > ROOM_LEFT;
    }
    return debug->outputs_count < OUTPUTS_MAX;
}

/* ---- the log ---- */

static struct sw_event event_of(const struct debug *debug, const struct sw_batch *batch)
{
    return (struct sw_event){
        .id = debug->id,
        .signal = sw_signal_name(batch->signal),
        .wall_ns = debug->push.core->wall_ns,
    };
}

static void tell_summary(struct debug *debug, const struct sw_batch *batch)
{
    struct sw_event event = event_of(debug, batch);
    event.kind = &summaries[batch->signal];
    event.count = sw_debug_resources_count(batch);
    event.items = batch->items_count;
    if (batch->signal == SW_METRICS) {
        event.second = sw_debug_metrics_count(batch);
    }
    if (!debug->shared->internal) {
        put_summary(debug, &event);
        return;
    }
    // In a full ring the line is lost, as any other; text waits instead.
    (void)sw_event_put(debug->push.core->events, &event);
}

/* ---- jobs ---- */

static struct job *job_new(struct debug *debug)
{
    struct job *job = debug->spare;
    if (job == NULL) {
        return sw_alloc(sizeof(*job));
    }
    debug->spare = job->next;
    debug->spare_count--;
    return job;
}

static void job_free(struct debug *debug, struct job *job)
{
    if (debug->spare_count == SPARE_MAX) {
        sw_free(job);
        return;
    }
    job->next = debug->spare;
    debug->spare = job;
    debug->spare_count++;
}

static void job_append(struct debug *debug, struct job *job)
{
    job->next = NULL;
    if (debug->last != NULL) {
        debug->last->next = job;
    } else {
        debug->first = job;
    }
    debug->last = job;
}

static void job_remove(struct debug *debug, struct job *job)
{
    struct job *before = NULL;
    for (struct job *at = debug->first; at != job; at = at->next) {
        SW_ASSERT(at != NULL);
        before = at;
    }
    if (before != NULL) {
        before->next = job->next;
    } else {
        debug->first = job->next;
    }
    if (debug->last == job) {
        debug->last = before;
    }
}

static void job_done(struct debug *debug, struct job *job, int err)
{
    struct sw_push_call *call = job->call;
    job_remove(debug, job);
    sw_debug_text_fini(&job->text);
    job_free(debug, job);
    sw_push_done_err(call, err);
}

// A slice of the first job's text. @return false: there is no room
static bool work(struct debug *debug, struct job *job)
{
    struct sw_core *core = debug->push.core;
    struct sw_buf *text = NULL;
    if (!has_room(debug)) {
        return false;
    }
    int err = sw_debug_text_next(&job->text, SLICE_BYTES, &text);
    if (err != SW_OK || text == NULL) {
        job_done(debug, job, err);
        return true;
    }
    if (!debug->shared->internal) {
        put_outputs(debug, text);
        return true;
    }
    struct sw_event event = event_of(debug, job->call->batch);
    event.kind = &records;
    event.message = text;
    bool put = sw_event_put(core->events, &event);
    SW_ASSERT(put); // there was room, and only this core fills the ring
    return true;
}

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    struct debug *debug = SW_CONTAINER_OF(task, struct debug, task);
    if (debug->first == NULL) {
        return false;
    }
    if (!work(debug, debug->first)) {
        sw_timer_set(&debug->push.core->timers, &debug->wait, now_ns + WAIT_NS);
        return false;
    }
    return debug->first != NULL;
}

static void on_wait(struct sw_timer *timer, uint64_t now_ns)
{
    struct debug *debug = SW_CONTAINER_OF(timer, struct debug, wait);
    sw_core_task(debug->push.core, &debug->task);
}

/* ---- the push ---- */

static void debug_start(struct sw_push *push, struct sw_push_call *call)
{
    struct debug *debug = (struct debug *)push;
    if (debug->closed) {
        sw_push_done_err(call, SW_E_SHUTDOWN);
        return;
    }
    bool internal = debug->shared->internal;
    if ((internal && push->core->events == NULL) || !sampled(debug->shared, push->core->now_ns)) {
        sw_push_done_err(call, SW_OK);
        return;
    }
    tell_summary(debug, call->batch);
    if (debug->verbosity == SW_VERBOSITY_BASIC) {
        sw_push_done_err(call, SW_OK);
        return;
    }
    struct job *job = job_new(debug);
    bool detailed = debug->verbosity == SW_VERBOSITY_DETAILED;
    if (job == NULL
        || sw_debug_text_init(&job->text, call->batch, detailed, debug->account) != SW_OK) {
        sw_free(job);
        sw_push_done_err(call, SW_E_NOMEM);
        return;
    }
    job->call = call;
    call->below = job;
    job_append(debug, job);
    if (!debug->wait.armed) {
        sw_core_task(push->core, &debug->task);
    }
}

static void debug_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    job_done((struct debug *)push, call->below, err);
}

static void debug_stop(struct sw_push *push, bool keep_retrying) {}

static void debug_close(struct sw_push *push)
{
    struct debug *debug = (struct debug *)push;
    debug->closed = true;
    sw_core_task_cancel(push->core, &debug->task);
    sw_timer_cancel(&push->core->timers, &debug->wait);
}

static void debug_free(struct sw_push *push)
{
    struct debug *debug = (struct debug *)push;
    debug_close(push);
    SW_ASSERT(debug->first == NULL);
    while (!LIST_EMPTY(&debug->outputs)) {
        output_free(LIST_FIRST(&debug->outputs)); // the actor has ended
    }
    while (debug->spare != NULL) {
        struct job *job = debug->spare;
        debug->spare = job->next;
        sw_free(job);
    }
    sw_free(debug);
}

static const struct sw_push_ops debug_ops = {
    .start = debug_start,
    .cancel = debug_cancel,
    .stop = debug_stop,
    .close = debug_close,
    .free = debug_free,
};

/* ---- the class ---- */

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared != NULL) {
        for (size_t i = 0; i < shared->outputs_count; i++) {
            sw_files_remove(shared->outputs[i]);
        }
        sw_free(shared->outputs);
        sw_queue_pool_free(shared->pool);
        sw_free(shared);
    }
}

static int
add_outputs(struct shared *shared, const struct sw_stage_env *env, const struct sw_list *paths)
{
    if (env->files == NULL) {
        return SW_OK; // nothing is written here
    }
    shared->outputs = sw_zalloc(paths->count * sizeof(shared->outputs[0]));
    if (shared->outputs == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < paths->count; i++) {
        struct sw_file_conf conf = {
            .id = env->id,
            .path = SW_LIST_AT(*paths, const char *, i),
            .append = true,
            .text = true,
        };
        int err = sw_files_add(env->files, &conf, &shared->outputs[i]);
        if (err != SW_OK) {
            return err;
        }
        shared->outputs_count++;
    }
    return SW_OK;
}

static int shared_new(const struct sw_stage_env *env, const void *conf_ptr, void **ret_shared)
{
    const struct sw_debug_exporter_conf *conf = conf_ptr;
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    // zap's counts are unsigned too: a negative number is a very large one.
    shared->initial = (uint64_t)conf->sampling_initial;
    shared->thereafter = (uint64_t)conf->sampling_thereafter;
    shared->internal = conf->use_internal_logger;
    int err = sw_queue_pool_new(env, &conf->sending_queue, &shared->pool);
    if (err == SW_OK && !shared->internal) {
        err = add_outputs(shared, env, &conf->output_paths);
    }
    if (err != SW_OK) {
        shared_free(shared);
        return err;
    }
    *ret_shared = shared;
    return SW_OK;
}

static int create(
    const struct sw_stage_env *env,
    const void *conf_ptr,
    void *shared_ptr,
    struct sw_core *core,
    struct sw_stage *next,
    struct sw_stage **ret_stage
)
{
    const struct sw_debug_exporter_conf *conf = conf_ptr;
    struct shared *shared = shared_ptr;
    struct debug *debug = sw_zalloc(sizeof(*debug));
    if (debug == NULL) {
        return SW_E_NOMEM;
    }
    debug->push = (struct sw_push){.ops = &debug_ops, .core = core};
    debug->shared = shared;
    debug->account = env->account;
    debug->id = env->id;
    debug->verbosity = conf->verbosity;
    debug->task.run = on_task;
    LIST_INIT(&debug->outputs);
    sw_timer_init(&debug->wait, on_wait);
    const struct sw_export_conf export = {.queue = &conf->sending_queue};
    return sw_export_new(env, &export, shared->pool, core, &debug->push, ret_stage);
}

const struct sw_stage_class sw_debug_exporter_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
};
