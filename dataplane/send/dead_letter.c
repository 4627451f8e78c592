#include "dataplane/send/dead_letter.h"

#include "dataplane/base/event.h"
#include "dataplane/base/mem.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/pipeline/component.h"
#include "storage/files/files.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#define FILES       4u // the one that is written, and its backups
#define MIB         UINT64_C(1048576)
#define SIZE_MIB    256
#define JOBS_MAX    64u // at the actor; what comes on top is not written
#define PATH_EXTRAS 64

struct sw_dead_letter {
    struct sw_file *file;
    char *path;
};

struct job {
    struct sw_file_job file;
    LIST_ENTRY(job) link;
    struct sw_dead_letter_desk *desk;
    struct sw_batch *batch;
};

struct sw_dead_letter_desk {
    struct sw_dead_letter *dead;
    struct sw_core *core;
    const char *id;
    LIST_HEAD(, job) jobs;
    uint32_t jobs_count;
    struct sw_cell *written;
    struct sw_cell *failed;
};

static const struct sw_metric_family written_family = {
    .name = "spanweir_exporter_dead_letter_items",
    .help = "Items that a backend refused for good and that were written to dead letters.",
    .unit = "{item}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family failed_family = {
    .name = "spanweir_exporter_dead_letter_failed_items",
    .help = "Items that a backend refused for good and that could not be written to dead letters.",
    .unit = "{item}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_event_kind not_written = {
    .level = SW_EVENT_ERROR,
    .message = "Dead letters cannot be written",
    .component_kind = "exporter",
    .items_key = "items",
    .text_key = "error",
};

/* ---- options ---- */

__attribute__((format(printf, 3, 4))) static int
refuse(const struct sw_stage_env *env, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(env->error, env->error_size, format, args);
    va_end(args);
    return err;
}

struct options {
    const char *path; // NULL: none are wanted
    uint64_t bytes;
};

static int
read_group(const struct sw_stage_env *env, const struct sw_value *group, struct options *options)
{
    if (group->kind != SW_VALUE_MAP) {
        return refuse(env, SW_E_INVALID, "dead_letter must be a group: { path; size_mib; }");
    }
    for (size_t i = 0; i < group->list.count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(group->list, struct sw_value_entry, i);
        const struct sw_value *value = &entry->value;
        if (strcmp(entry->key, "path") == 0) {
            if (value->kind != SW_VALUE_STRING || value->string[0] == '\0') {
                return refuse(
                    env, SW_E_INVALID, "dead_letter.path must be the name of a directory"
                );
            }
            options->path = value->string;
        } else if (strcmp(entry->key, "size_mib") == 0) {
            if (value->kind != SW_VALUE_INT || value->integer < 1 || value->integer > INT32_MAX) {
                return refuse(env, SW_E_INVALID, "dead_letter.size_mib must be a number above 0");
            }
            options->bytes = (uint64_t)value->integer * MIB;
        } else {
            return refuse(
                env, SW_E_UNSUPPORTED, "setting dead_letter.%s is not supported here", entry->key
            );
        }
    }
    return options->path != NULL ? SW_OK : refuse(env, SW_E_INVALID, "dead_letter needs path");
}

static int check_on_shutdown(const struct sw_stage_env *env, const struct sw_value *value)
{
    bool known = value->kind == SW_VALUE_STRING
                 && (strcmp(value->string, "keep") == 0 || strcmp(value->string, "handover") == 0);
    return known ? SW_OK
                 : refuse(env, SW_E_INVALID, "on_shutdown must be \"keep\" or \"handover\"");
}

static int read_options(const struct sw_stage_env *env, struct options *options)
{
    *options = (struct options){.bytes = SIZE_MIB * MIB};
    if (env->appliance == NULL) {
        return SW_OK;
    }
    const struct sw_list *list = &env->appliance->settings.list;
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < list->count; i++) {
        const struct sw_value_entry *entry = &SW_LIST_AT(*list, struct sw_value_entry, i);
        if (strcmp(entry->key, "dead_letter") == 0) {
            err = read_group(env, &entry->value, options);
        } else if (strcmp(entry->key, "on_shutdown") == 0) {
            err = check_on_shutdown(env, &entry->value); // control/service/hand_over.c does it
        } else if (strcmp(entry->key, "kind") != 0 && strcmp(entry->key, "id") != 0) {
            err = refuse(env, SW_E_UNSUPPORTED, "setting %s is not supported here", entry->key);
        }
    }
    return err;
}

/* ---- what the cores share ---- */

static char *path_of(const struct sw_stage_env *env, const char *directory)
{
    size_t size = strlen(directory) + strlen(env->id) + PATH_EXTRAS;
    char *path = sw_alloc(size);
    if (path != NULL) {
        int begin = snprintf(path, size, "%s/", directory);
        snprintf(
            path + begin, size - (size_t)begin, "%s-%s.jsonl", env->id, sw_signal_name(env->signal)
        );
        for (char *at = path + begin; *at != '\0'; at++) {
            *at = *at == '/' ? '~' : *at;
        }
    }
    return path;
}

int sw_dead_letter_new(const struct sw_stage_env *env, struct sw_dead_letter **ret_dead)
{
    struct options options;
    *ret_dead = NULL;
    int err = read_options(env, &options);
    if (err != SW_OK || options.path == NULL || env->files == NULL) {
        return err;
    }
    struct sw_dead_letter *dead = sw_zalloc(sizeof(*dead));
    char *path = path_of(env, options.path);
    if (dead == NULL || path == NULL) {
        sw_free(dead);
        sw_free(path);
        return SW_E_NOMEM;
    }
    dead->path = path;
    const struct sw_file_conf conf = {
        .id = env->id,
        .path = path,
        .append = true,
        .json = true,
        .create_directory = true,
        .directory_mode = 0750,
        .rotate = true,
        .max_bytes = SW_MAX(options.bytes / FILES, UINT64_C(1)),
        .max_backups = FILES - 1,
    };
    err = sw_files_add(env->files, &conf, &dead->file);
    if (err != SW_OK) {
        sw_dead_letter_free(dead);
        return err;
    }
    *ret_dead = dead;
    return SW_OK;
}

void sw_dead_letter_free(struct sw_dead_letter *dead)
{
    if (dead != NULL) {
        sw_files_remove(dead->file);
        sw_free(dead->path);
        sw_free(dead);
    }
}

/* ---- one core's ---- */

int sw_dead_letter_desk_new(
    const struct sw_stage_env *env,
    struct sw_dead_letter *dead,
    struct sw_core *core,
    struct sw_dead_letter_desk **ret_desk
)
{
    const struct sw_label label = {"exporter", env->id};
    *ret_desk = NULL;
    if (dead == NULL) {
        return SW_OK;
    }
    struct sw_dead_letter_desk *desk = sw_zalloc(sizeof(*desk));
    if (desk == NULL) {
        return SW_E_NOMEM;
    }
    desk->dead = dead;
    desk->core = core;
    desk->id = env->id;
    LIST_INIT(&desk->jobs);
    int err = sw_cell_make(env->metrics, core->index, &written_family, &label, 1, &desk->written);
    if (err == SW_OK) {
        err = sw_cell_make(env->metrics, core->index, &failed_family, &label, 1, &desk->failed);
    }
    if (err != SW_OK) {
        sw_free(desk);
        return err;
    }
    sw_count(desk->written, 0); // shown from the start
    sw_count(desk->failed, 0);
    *ret_desk = desk;
    return SW_OK;
}

static void job_free(struct job *job)
{
    LIST_REMOVE(job, link);
    job->desk->jobs_count--;
    sw_batch_free(job->batch);
    sw_free(job);
}

void sw_dead_letter_desk_free(struct sw_dead_letter_desk *desk)
{
    if (desk == NULL) {
        return;
    }
    while (!LIST_EMPTY(&desk->jobs)) {
        job_free(LIST_FIRST(&desk->jobs));
    }
    sw_free(desk);
}

static void failed(struct sw_dead_letter_desk *desk, const struct sw_batch *batch, const char *why)
{
    sw_count(desk->failed, batch->items_count);
    sw_event_leave(
        desk->core->events,
        &not_written,
        desk->id,
        sw_signal_name(batch->signal),
        desk->core->wall_ns,
        batch->items_count,
        why,
        (uint32_t)strlen(why)
    );
}

static void returned(struct sw_message *message, void *sender)
{
    struct job *job = (struct job *)message;
    struct sw_dead_letter_desk *desk = job->desk;
    if (job->file.err == SW_OK) {
        sw_count(desk->written, job->batch->items_count);
    } else {
        const char *why = job->file.why;
        failed(desk, job->batch, why[0] != '\0' ? why : sw_err_text(job->file.err));
    }
    job_free(job);
}

void sw_dead_letter_write(struct sw_dead_letter_desk *desk, const struct sw_batch *batch)
{
    if (desk == NULL || batch->items_count == 0) {
        return;
    }
    if (desk->jobs_count == JOBS_MAX) {
        failed(desk, batch, "too many are waiting to be written");
        return;
    }
    struct job *job = sw_zalloc(sizeof(*job));
    struct sw_batch *copy = job != NULL ? sw_batch_share(batch) : NULL;
    if (copy == NULL) {
        sw_free(job);
        failed(desk, batch, sw_err_text(SW_E_NOMEM));
        return;
    }
    job->file.message.returned = returned;
    job->file.file = desk->dead->file;
    job->file.batch = copy;
    job->desk = desk;
    job->batch = copy;
    LIST_INSERT_HEAD(&desk->jobs, job, link);
    desk->jobs_count++;
    sw_file_send(desk->core->mailbox, &job->file);
}
