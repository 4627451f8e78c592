#include "dataplane/send/file_exporter.h"

#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/export.h"
#include "dataplane/send/file_exporter_conf.h"
#include "storage/files/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MEGABYTE       (UINT64_C(1) << 20)
#define ROTATE_DEFAULT 100

/* What the instances of all cores share. */
struct shared {
    struct sw_queue_pool *pool;
    struct sw_file *file; // NULL: nobody here writes files
};

struct exporter;

/* One request at the actor. Cancelled ones lose their call and wait for the actor all the same. */
struct job {
    struct sw_file_job file;
    LIST_ENTRY(job) link;
    struct exporter *exporter;
    struct sw_push_call *call;
    struct sw_batch *batch; // over the same bytes; lives until the actor is done with it
};

struct exporter {
    struct sw_push push;
    struct sw_file *file;
    const char *id;
    bool grouped;
    LIST_HEAD(, job) jobs;
    bool closed;
};

static const struct sw_event_kind skipped = {
    .level = SW_EVENT_DEBUG,
    .message = "Resource does not contain the attribute to group by, dropping it",
    .component_kind = "exporter",
    .items_key = "resources",
};

static void job_free(struct job *job)
{
    LIST_REMOVE(job, link);
    sw_batch_free(job->batch);
    sw_free(job);
}

static struct sw_outcome outcome_of(const struct job *job)
{
    struct sw_outcome outcome = {.err = job->file.err};
    if (outcome.err != SW_OK) {
        outcome.permanent = job->exporter->grouped; // as the Collector's
        if (job->file.why[0] != '\0') {
            size_t len = strlen(job->file.why);
            outcome.text = sw_buf_copy(NULL, job->file.why, (uint32_t)len);
        }
    }
    return outcome;
}

static void returned(struct sw_message *message, void *sender)
{
    struct job *job = (struct job *)message;
    struct sw_push_call *call = job->call;
    struct sw_core *core = job->exporter->push.core;
    struct sw_outcome outcome = outcome_of(job);
    if (job->file.skipped_count > 0) {
        sw_event_leave(
            core->events,
            &skipped,
            job->exporter->id,
            sw_signal_name(job->batch->signal),
            core->wall_ns,
            job->file.skipped_count,
            NULL,
            0
        );
    }
    job_free(job);
    if (call != NULL) {
        call->done(call, &outcome);
    } else {
        sw_outcome_fini(&outcome);
    }
}

static void file_start(struct sw_push *push, struct sw_push_call *call)
{
    struct exporter *exporter = (struct exporter *)push;
    if (exporter->closed || exporter->file == NULL) {
        sw_push_done_err(call, exporter->closed ? SW_E_SHUTDOWN : SW_E_UNSUPPORTED);
        return;
    }
    struct job *job = sw_zalloc(sizeof(*job));
    struct sw_batch *batch = job != NULL ? sw_batch_share(call->batch) : NULL;
    if (batch == NULL) {
        sw_free(job);
        sw_push_done_err(call, SW_E_NOMEM);
        return;
    }
    job->file.message.returned = returned;
    job->file.file = exporter->file;
    job->file.batch = batch;
    job->exporter = exporter;
    job->call = call;
    job->batch = batch;
    call->below = job;
    LIST_INSERT_HEAD(&exporter->jobs, job, link);
    sw_file_send(push->core->mailbox, &job->file);
}

static void file_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct job *job = call->below;
    job->call = NULL;
    sw_push_done_err(call, err);
}

static void file_stop(struct sw_push *push, bool keep_retrying) {}

static void file_close(struct sw_push *push)
{
    ((struct exporter *)push)->closed = true;
}

// The actor has ended: what it did not give back is ours again.
static void file_free(struct sw_push *push)
{
    struct exporter *exporter = (struct exporter *)push;
    while (!LIST_EMPTY(&exporter->jobs)) {
        struct job *job = LIST_FIRST(&exporter->jobs);
        SW_ASSERT(job->call == NULL);
        job_free(job);
    }
    sw_free(exporter);
}

static const struct sw_push_ops file_ops = {
    .start = file_start,
    .cancel = file_cancel,
    .stop = file_stop,
    .close = file_close,
    .free = file_free,
};

/* ---- the class ---- */

static void shared_free(void *shared_ptr)
{
    struct shared *shared = shared_ptr;
    if (shared != NULL) {
        sw_files_remove(shared->file);
        sw_queue_pool_free(shared->pool);
        sw_free(shared);
    }
}

static struct sw_file_conf file_conf_of(const char *id, const struct sw_file_exporter_conf *conf)
{
    const char *mode = conf->directory_permissions;
    int64_t megabytes = conf->rotation.max_megabytes;
    struct sw_file_conf file = {
        .id = id,
        .path = conf->path,
        .append = conf->append,
        .json = conf->format == SW_FILE_JSON,
        .zstd = conf->compression == SW_FILE_ZSTD,
        .level = (int)conf->compression_params.level,
        .create_directory = conf->create_directory,
        .directory_mode = mode[0] != '\0' ? (unsigned)strtoul(mode, NULL, 8) : 0755,
    };
    if (conf->group_by.enabled) {
        file.group_attribute = conf->group_by.resource_attribute;
        file.open_max = (uint32_t)SW_MIN(conf->group_by.max_open_files, UINT32_MAX);
        return file; // without rotation, as the Collector's
    }
    file.rotate = conf->rotation.enabled;
    file.max_bytes = (uint64_t)(megabytes > 0 ? megabytes : ROTATE_DEFAULT) * MEGABYTE;
    file.max_days = (uint32_t)SW_MIN(conf->rotation.max_days, UINT32_MAX);
    file.max_backups = (uint32_t)SW_MIN(conf->rotation.max_backups, UINT32_MAX);
    file.local_time = conf->rotation.localtime;
    return file;
}

static int shared_new(const struct sw_stage_env *env, const void *conf, void **ret_shared)
{
    struct shared *shared = sw_zalloc(sizeof(*shared));
    if (shared == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_queue_pool_new(env, NULL, &shared->pool);
    if (err == SW_OK && env->files != NULL) {
        struct sw_file_conf file = file_conf_of(env->id, conf);
        err = sw_files_add(env->files, &file, &shared->file);
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
    const struct sw_file_exporter_conf *conf = conf_ptr;
    struct shared *shared = shared_ptr;
    struct exporter *exporter = sw_zalloc(sizeof(*exporter));
    if (exporter == NULL) {
        return SW_E_NOMEM;
    }
    exporter->push = (struct sw_push){.ops = &file_ops, .core = core};
    exporter->file = shared->file;
    exporter->id = env->id;
    exporter->grouped = conf->group_by.enabled;
    LIST_INIT(&exporter->jobs);
    const struct sw_export_conf export = {.queue = NULL};
    return sw_export_new(env, &export, shared->pool, core, &exporter->push, ret_stage);
}

const struct sw_stage_class sw_file_exporter_class = {
    .shared_new = shared_new,
    .shared_free = shared_free,
    .create = create,
};
