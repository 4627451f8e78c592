/* The window: what waits for its verdict lies in files that outlive the process (base/segment_file.h), and an earlier
 * process's files are taken up at the start. Undecided spans come in again as if they had just arrived; kept ones that
 * nobody took over are handed on with the verdict they had. The files go when everything in them is somewhere else.
 *
 * Survives kill -9, not the loss of power. A crash while files are taken up makes spans come twice. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/validate.h"
#include "sampling/verdict/verdict_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define WINDOW_DIRECTORY "/dev/shm/spanweir"
#define WINDOW_MIB       1024
#define WINDOW_MIB_MIN   8
#define MIB              UINT64_C(1048576)
// One batch of a replay; and how many are on their way at once.
#define BATCH_BYTES     (256u * 1024)
#define TICKETS_AT_ONCE 16u
#define RETRY_NS        (5 * SW_NS_PER_MS)

static const struct sw_event_kind taken_up = {
    .level = SW_EVENT_INFO,
    .message = "Spans that waited when an earlier process ended are taken up",
    .component_kind = "processor",
    .items_key = "spans",
};

static const struct sw_event_kind on_disk = {
    .level = SW_EVENT_WARN,
    .message =
        "The directory of the window is on a disk: pages are written back, which costs speed;"
        " a file system in memory serves as well, since the loss of power is out of scope",
    .component_kind = "processor",
};

static const struct sw_event_kind left_out = {
    .level = SW_EVENT_WARN,
    .message = "Not all of a file of the window could be read, it is put aside",
    .component_kind = "processor",
    .text_key = "error",
};

/* ---- options ---- */

__attribute__((format(printf, 3, 4))) static int
refuse(const struct sw_stage_env *env, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (env->error != NULL) {
        vsnprintf(env->error, env->error_size, format, args);
    }
    va_end(args);
    return err;
}

struct options {
    const char *directory;
    uint64_t bytes;
};

static int read_window(
    const struct sw_stage_env *env,
    const struct sw_value *window,
    struct options *ret_options
)
{
    if (window->kind != SW_VALUE_MAP) {
        return refuse(env, SW_E_INVALID, "window must be a group: { directory; size_mib; }");
    }
    for (size_t i = 0; i < window->list.count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(window->list, struct sw_value_entry, i);
        if (strcmp(entry->key, "directory") == 0) {
            if (entry->value.kind != SW_VALUE_STRING || entry->value.string[0] == '\0') {
                return refuse(
                    env, SW_E_INVALID, "window.directory must be the name of a directory"
                );
            }
            ret_options->directory = entry->value.string;
        } else if (strcmp(entry->key, "size_mib") == 0) {
            if (entry->value.kind != SW_VALUE_INT || entry->value.integer < WINDOW_MIB_MIN
                || entry->value.integer > INT32_MAX) {
                return refuse(
                    env,
                    SW_E_INVALID,
                    "window.size_mib must be a number, at least %d",
                    WINDOW_MIB_MIN
                );
            }
            ret_options->bytes = (uint64_t)entry->value.integer * MIB;
        } else {
            return refuse(
                env, SW_E_UNSUPPORTED, "setting window.%s is not supported here", entry->key
            );
        }
    }
    return SW_OK;
}

// @return 0; *ret_options without a directory: there is no window
static int read_options(const struct sw_stage_env *env, struct options *ret_options)
{
    *ret_options = (struct options){0};
    if (env->appliance == NULL) {
        return SW_OK;
    }
    const struct sw_list *list = &env->appliance->settings.list;
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(*list, struct sw_value_entry, i);
        if (strcmp(entry->key, "window") == 0) {
            *ret_options = (struct options){WINDOW_DIRECTORY, WINDOW_MIB * MIB};
            int err = read_window(env, &entry->value, ret_options);
            if (err != SW_OK) {
                return err;
            }
        } else if (strcmp(entry->key, "kind") != 0 && strcmp(entry->key, "id") != 0) {
            return refuse(env, SW_E_UNSUPPORTED, "setting %s is not supported here", entry->key);
        }
    }
    return SW_OK;
}

int sw_window_open(const struct sw_stage_env *env, struct tail_shared *shared)
{
    struct options options;
    char name[512];
    char why[384];
    int err = read_options(env, &options);
    if (err != SW_OK || options.directory == NULL || !env->durable) {
        return err;
    }
    // One processor may stand in several pipelines, each with spans of its own.
    snprintf(name, sizeof(name), "%s@%s", env->id, env->pipeline != NULL ? env->pipeline : "");
    err = sw_segment_dir_open(
        options.directory, name, options.bytes, &shared->window, why, sizeof(why)
    );
    return err == SW_E_SYSTEM ? refuse(env, err, "window: %s", why) : err;
}

/* ---- taking up ---- */

struct old_file {
    struct window *window;
    unsigned index;
    struct sw_window_replay *replay;
    uint32_t out_count; // tickets
    int err;            // something of it was not taken
    bool all;           // nothing is left to be read
    bool done;
};

struct replay_ticket {
    struct sw_ticket ticket;
    struct old_file *file;
};

struct window {
    struct sampler *sampler;
    struct sw_task task;
    struct sw_timer retry;
    struct old_file *files;
    unsigned files_count;
    unsigned current;
    uint32_t out_count;
    uint64_t spans_count;
    /* What is put together. */
    uint8_t *data;
    size_t size;
    size_t capacity;
    uint32_t items_count;
    bool sampled;
    bool has_next; // read and not put together yet
    struct sw_replayed next;
    struct sw_batch *batch; // put together, and there was no room for it
};

static void finish_file(struct old_file *file)
{
    struct window *window = file->window;
    struct sampler *sampler = window->sampler;
    struct sw_core *core = sampler->stage.core;
    if (file->done || !file->all || file->out_count > 0) {
        return;
    }
    file->done = true;
    sw_window_replay_free(file->replay);
    file->replay = NULL;
    sw_segment_dir_old_done(
        sampler->shared->window, file->index, file->err == SW_OK ? SW_OLD_GOES : SW_OLD_ASIDE
    );
    if (file->err != SW_OK) {
        const char *text = sw_err_text(file->err);
        sw_event_leave(
            core->events,
            &left_out,
            sampler->stage.id,
            NULL,
            core->wall_ns,
            0,
            text,
            (uint32_t)strlen(text)
        );
    }
}

static void taken(struct sw_ticket *ticket)
{
    struct replay_ticket *mine = SW_CONTAINER_OF(ticket, struct replay_ticket, ticket);
    struct old_file *file = mine->file;
    struct window *window = file->window;
    sw_outcome_fini(&ticket->outcome); // a failure is in the exporters' books
    sw_free(mine);
    file->out_count--;
    window->out_count--;
    finish_file(file);
    sw_core_task(window->sampler->stage.core, &window->task);
}

static int reserve(struct window *window, size_t size)
{
    if (size > window->capacity - window->size) {
        size_t capacity = SW_MAX(window->size + size, (size_t)BATCH_BYTES * 2);
        uint8_t *data = sw_realloc(window->data, capacity);
        if (data == NULL) {
            return SW_E_NOMEM;
        }
        window->data = data;
        window->capacity = capacity;
    }
    return SW_OK;
}

static uint8_t *put(uint8_t *out, struct sw_bytes bytes)
{
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    return out + bytes.size;
}

static int add(struct window *window, const struct sw_replayed *replayed)
{
    uint64_t inner = replayed->scope.size + replayed->spans.size;
    uint64_t outer = replayed->resource.size + sw_pb_len_size(SW_OTLP_TAG_SCOPES, inner);
    uint64_t whole = sw_pb_len_size(SW_OTLP_TAG_RESOURCES, outer);
    if (whole > UINT32_MAX / 2) {
        return SW_E_TOO_LARGE;
    }
    int err = reserve(window, (size_t)whole);
    if (err != SW_OK) {
        return err;
    }
    uint8_t *out = sw_pb_put_head(window->data + window->size, SW_OTLP_TAG_RESOURCES, outer);
    out = put(out, replayed->resource);
    out = sw_pb_put_head(out, SW_OTLP_TAG_SCOPES, inner);
    out = put(out, replayed->scope);
    (void)put(out, replayed->spans);
    window->size += (size_t)whole;
    window->items_count += replayed->spans_count;
    window->sampled = replayed->sampled;
    return SW_OK;
}

// What was put together, if it is telemetry: files may hold anything.
static struct sw_batch *make_batch(struct window *window)
{
    struct sw_otlp_counts counts;
    struct sw_batch *batch = NULL;
    uint32_t size = (uint32_t)window->size;
    if (sw_otlp_validate(SW_TRACES, window->data, size, &counts, NULL) == SW_OK
        && counts.items == window->items_count) {
        struct sw_buf *buf = sw_buf_copy(window->sampler->account, window->data, size);
        batch = buf != NULL ? sw_batch_new(SW_TRACES) : NULL;
        if (batch != NULL) {
            int err = sw_batch_add_raw(batch, buf, buf->data, buf->size, counts.items);
            SW_ASSERT(err == SW_OK); // one part and one piece lie in the batch itself
            batch->arrived_ns = window->sampler->stage.core->now_ns;
        }
        sw_buf_unref(buf);
    }
    window->size = 0;
    window->items_count = 0;
    return batch;
}

// @return false: no room now
static bool give(struct window *window, struct old_file *file)
{
    struct sampler *sampler = window->sampler;
    struct sw_batch *batch = window->batch;
    struct sw_stage *to = window->sampled ? sampler->stage.next : &sampler->stage;
    struct replay_ticket *ticket = sw_alloc(sizeof(*ticket));
    if (ticket == NULL || sw_stage_admit(to, batch, SW_ADMIT_ANY) != SW_OK) {
        sw_free(ticket);
        return false;
    }
    if (sampler->ledger != NULL) {
        sampler->ledger->flow[SW_FLOW_GENERATED] += batch->items_count;
    }
    window->batch = NULL;
    window->spans_count += batch->items_count;
    sw_count(sampler->cells.replayed, batch->items_count);
    ticket->file = file;
    file->out_count++;
    window->out_count++;
    sw_ticket_init(&ticket->ticket, taken);
    sw_stage_consume(to, batch, &ticket->ticket);
    return true;
}

// Puts the next batch together. @return false: the file has no more
static bool fill(struct window *window, struct old_file *file)
{
    while (window->size < BATCH_BYTES) {
        if (!window->has_next && !sw_window_replay_next(file->replay, &window->next)) {
            break;
        }
        window->has_next = true;
        if (window->size > 0 && window->next.sampled != window->sampled) {
            break;
        }
        window->has_next = false;
        int err = add(window, &window->next);
        if (err != SW_OK) {
            file->err = err;
        }
    }
    return window->size > 0;
}

static int open_file(struct window *window, struct old_file *file)
{
    const uint8_t *data;
    size_t size;
    int err = sw_segment_dir_old_map(window->sampler->shared->window, file->index, &data, &size);
    if (err == SW_OK) {
        err = sw_window_replay_new((struct sw_bytes){data, size}, &file->replay);
    }
    return err;
}

static void next_file(struct window *window, struct old_file *file)
{
    file->all = true;
    window->current++;
    finish_file(file);
}

static void tell_end(struct window *window)
{
    struct sw_core *core = window->sampler->stage.core;
    if (window->spans_count > 0) {
        sw_event_leave(
            core->events,
            &taken_up,
            window->sampler->stage.id,
            NULL,
            core->wall_ns,
            (int64_t)window->spans_count,
            NULL,
            0
        );
    }
}

static void retry_later(struct window *window)
{
    struct sw_core *core = window->sampler->stage.core;
    if (!window->retry.armed) {
        sw_timer_set(&core->timers, &window->retry, core->now_ns + RETRY_NS);
    }
}

// @return true when it can go on at once
static bool step(struct window *window)
{
    struct old_file *file = &window->files[window->current];
    if (window->batch != NULL && !give(window, file)) {
        retry_later(window);
        return false;
    }
    if (window->out_count >= TICKETS_AT_ONCE) {
        return false; // the next that is taken goes on
    }
    if (file->replay == NULL) {
        int err = open_file(window, file);
        if (err != SW_OK) {
            file->err = err;
            next_file(window, file);
            return true;
        }
    }
    if (!fill(window, file)) {
        next_file(window, file);
        if (window->current == window->files_count) {
            tell_end(window);
        }
        return true;
    }
    window->batch = make_batch(window);
    if (window->batch == NULL) {
        file->err = SW_E_MALFORMED;
    }
    return true;
}

static bool on_task(struct sw_task *task, uint64_t now_ns)
{
    struct window *window = SW_CONTAINER_OF(task, struct window, task);
    return window->current < window->files_count && step(window);
}

static void on_retry(struct sw_timer *timer, uint64_t now_ns)
{
    struct window *window = SW_CONTAINER_OF(timer, struct window, retry);
    sw_core_task(window->sampler->stage.core, &window->task);
}

int sw_window_start(struct sampler *sampler)
{
    struct sw_core *core = sampler->stage.core;
    unsigned count = sw_segment_dir_old_count(sampler->shared->window);
    struct window *window = sw_zalloc(sizeof(*window));
    if (window == NULL) {
        return SW_E_NOMEM;
    }
    sampler->replay = window;
    window->sampler = sampler;
    window->task.run = on_task;
    sw_timer_init(&window->retry, on_retry);
    window->files = sw_zalloc(SW_MAX(count, 1u) * sizeof(struct old_file));
    if (window->files == NULL) {
        return SW_E_NOMEM;
    }
    if (core->index == 0 && sw_segment_dir_on_disk(sampler->shared->window)) {
        sw_event_leave(core->events, &on_disk, sampler->stage.id, NULL, core->wall_ns, 0, NULL, 0);
    }
    // Files are dealt over the cores; whose the spans are now the way in says.
    for (unsigned i = core->index; i < count; i += core->cores_count) {
        window->files[window->files_count++] = (struct old_file){.window = window, .index = i};
    }
    while (window->current < window->files_count && step(window)) {
    }
    return SW_OK;
}

bool sw_window_busy(const struct sampler *sampler)
{
    const struct window *window = sampler->replay;
    return window != NULL && (window->current < window->files_count || window->out_count > 0);
}

void sw_window_fini(struct sampler *sampler)
{
    struct window *window = sampler->replay;
    if (window == NULL) {
        return;
    }
    sw_timer_cancel(&sampler->stage.core->timers, &window->retry);
    sw_core_task_cancel(sampler->stage.core, &window->task);
    for (unsigned i = 0; i < window->files_count; i++) {
        sw_window_replay_free(window->files[i].replay);
    }
    sw_batch_free(window->batch);
    sw_free(window->data);
    sw_free(window->files);
    sw_free(window);
    sampler->replay = NULL;
}
