#include "storage/files/files.h"

#include "dataplane/base/mem.h"
#include "dataplane/otlp/attribute.h"
#include "dataplane/otlp/span.h"
#include "storage/files/files_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES_PER_POLL 64

/* ---- small things ---- */

int sw_file_bytes_add(struct file_bytes *bytes, const void *data, size_t size)
{
    if (size > bytes->capacity - bytes->size) {
        size_t capacity = SW_MAX(bytes->capacity * 2, bytes->size + size);
        uint8_t *larger = sw_realloc(bytes->data, capacity);
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        bytes->data = larger;
        bytes->capacity = capacity;
    }
    if (size > 0) {
        memcpy(bytes->data + bytes->size, data, size);
    }
    bytes->size += size;
    return SW_OK;
}

int sw_file_fail(struct sw_file_job *job, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(job->why, sizeof(job->why), format, args);
    va_end(args);
    return err;
}

/* ---- one record to one file ---- */

static int write_bytes(
    struct sw_file *file,
    struct target *target,
    const struct file_bytes *bytes,
    struct sw_file_job *job
)
{
    int err = sw_target_write(file, target, bytes);
    if (err == SW_E_TOO_LARGE) {
        sw_file_fail(
            job,
            err,
            "write length %zu exceeds maximum file size %llu",
            bytes->size,
            (unsigned long long)file->conf.max_bytes
        );
    } else if (err == SW_E_SYSTEM) {
        sw_file_fail(job, err, "write %s: %s", target->path, strerror(errno));
    }
    return err;
}

static int write_record(
    struct sw_file *file,
    struct target *target,
    struct sw_bytes request,
    struct sw_file_job *job
)
{
    struct file_bytes record = {0};
    int err = sw_file_encode(file, job->batch->signal, request, &record, job);
    if (err == SW_OK) {
        err = write_bytes(file, target, &record, job);
    }
    sw_free(record.data);
    return err;
}

static void use(struct sw_file *file, struct target *target)
{
    TAILQ_REMOVE(&file->targets, target, link);
    TAILQ_INSERT_HEAD(&file->targets, target, link);
}

// The file of a group, opened if need be; the one that was not used for longest is closed for it.
static int find_target(
    struct sw_file *file,
    struct sw_bytes value,
    struct target **ret_target,
    struct sw_file_job *job
)
{
    struct target *target;
    char *path = sw_file_group_path(file->conf.path, value);
    if (path == NULL) {
        return SW_E_NOMEM;
    }
    TAILQ_FOREACH(target, &file->targets, link)
    {
        if (strcmp(target->path, path) == 0) {
            sw_free(path);
            use(file, target);
            *ret_target = target;
            return SW_OK;
        }
    }
    target = sw_target_new(path);
    sw_free(path);
    if (target == NULL) {
        return SW_E_NOMEM;
    }
    sw_file_make_folder(target->path, 0755);
    if (sw_target_open(file, target) != SW_OK) {
        int err = sw_file_fail(job, SW_E_SYSTEM, "open %s: %s", target->path, strerror(errno));
        sw_target_free(target);
        return err;
    }
    TAILQ_INSERT_HEAD(&file->targets, target, link);
    if (++file->targets_count > file->conf.open_max) {
        struct target *oldest = TAILQ_LAST(&file->targets, target_list);
        TAILQ_REMOVE(&file->targets, oldest, link);
        file->targets_count--;
        sw_target_free(oldest);
    }
    *ret_target = target;
    return SW_OK;
}

/* ---- groups ---- */

// The value that a resource is grouped by. @return false: it has none, or one that is no text
static bool
group_value(const struct sw_file *file, struct sw_bytes resource_item, struct sw_bytes *ret_value)
{
    const char *name = file->conf.group_attribute;
    struct sw_bytes key = {(const uint8_t *)name, strlen(name)};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_any value;
    sw_pb_reader_init(&reader, resource_item);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_LEN)
            && sw_attribute_find(field.bytes, SW_RESOURCE_ATTRIBUTES, key, &value)) {
            *ret_value = value.bytes;
            return value.type == SW_ANY_STRING;
        }
    }
    return false;
}

// All resources of the request from `from` on that have the value, as a request of their own.
static int collect(
    struct sw_file *file,
    struct sw_bytes from,
    struct sw_bytes value,
    struct file_bytes *ret_request
)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_bytes other;
    int err = SW_OK;
    sw_pb_reader_init(&reader, from);
    while (err == SW_OK && sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_LEN) && group_value(file, field.bytes, &other)
            && sw_bytes_equal(other, value)) {
            err = sw_file_bytes_add(ret_request, field.whole.data, field.whole.size);
        }
    }
    return err;
}

// Has a resource before `end` the same value? Then its group has been written.
static bool seen(const struct sw_file *file, struct sw_bytes before, struct sw_bytes value)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_bytes other;
    sw_pb_reader_init(&reader, before);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == SW_PB_TAG(1, SW_PB_LEN) && group_value(file, field.bytes, &other)
            && sw_bytes_equal(other, value)) {
            return true;
        }
    }
    return false;
}

static int write_group(
    struct sw_file *file,
    struct sw_bytes from,
    struct sw_bytes value,
    struct sw_file_job *job
)
{
    struct file_bytes request = {0};
    struct target *target = NULL;
    int err = find_target(file, value, &target, job);
    if (err == SW_OK) {
        err = collect(file, from, value, &request);
    }
    if (err == SW_OK) {
        err = write_record(file, target, (struct sw_bytes){request.data, request.size}, job);
    }
    sw_free(request.data);
    return err;
}

// A failing group does not keep the others from their files.
static int write_groups(struct sw_file *file, struct sw_bytes request, struct sw_file_job *job)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    struct sw_bytes value;
    int result = SW_OK;
    sw_pb_reader_init(&reader, request);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag != SW_PB_TAG(1, SW_PB_LEN)) {
            continue;
        }
        if (!group_value(file, field.bytes, &value)) {
            job->skipped_count++;
            continue;
        }
        const uint8_t *here = field.whole.data;
        struct sw_bytes before = {request.data, (size_t)(here - request.data)};
        struct sw_bytes from = {here, request.size - before.size};
        if (!seen(file, before, value)) {
            int err = write_group(file, from, value, job);
            result = result == SW_OK ? err : result;
        }
    }
    return result;
}

/* ---- jobs ---- */

static int run(struct sw_file_job *job)
{
    struct sw_file *file = job->file;
    if (file->conf.text) {
        struct file_bytes text = {.data = (uint8_t *)job->text.data, .size = job->text.size};
        return write_bytes(file, TAILQ_FIRST(&file->targets), &text, job);
    }
    const struct sw_batch *batch = job->batch;
    uint8_t *joined = NULL;
    struct sw_bytes request = {NULL, 0};
    if (batch->parts_count == 1 && batch->pieces_count == 1 && batch->parts[0].level == 0) {
        request = (struct sw_bytes){batch->pieces[0].data, batch->pieces[0].len};
    } else if (batch->bytes > 0) {
        joined = sw_alloc(batch->bytes);
        if (joined == NULL) {
            return SW_E_NOMEM;
        }
        sw_batch_copy_out(batch, joined);
        request = (struct sw_bytes){joined, batch->bytes};
    }
    int err = SW_OK;
    if (file->conf.group_attribute != NULL) {
        err = write_groups(file, request, job);
    } else {
        err = write_record(file, TAILQ_FIRST(&file->targets), request, job);
    }
    sw_free(joined);
    return err;
}

static void deliver(struct sw_message *message, void *receiver)
{
    struct sw_files *files = receiver;
    struct sw_file_job *job = (struct sw_file_job *)message;
    job->why[0] = '\0';
    job->skipped_count = 0;
    job->err = run(job);
    sw_mailbox_return(files->mailbox, message);
}

void sw_file_send(struct sw_mailbox *from, struct sw_file_job *job)
{
    job->message.deliver = deliver;
    sw_mailbox_send(from, job->file->files->index, &job->message);
}

/* ---- the actor ---- */

int sw_files_new(
    struct sw_post *post,
    unsigned index,
    struct sw_account *account,
    struct sw_files **ret_files
)
{
    struct sw_files *files = sw_zalloc(sizeof(*files));
    if (files == NULL) {
        return SW_E_NOMEM;
    }
    files->mailbox = sw_post_mailbox(post, index);
    files->index = index;
    files->account = account;
    TAILQ_INIT(&files->all);
    sw_mailbox_bind(files->mailbox, files);
    *ret_files = files;
    return SW_OK;
}

struct sw_mailbox *sw_files_mailbox(struct sw_files *files)
{
    return files->mailbox;
}

bool sw_files_any(const struct sw_files *files)
{
    return !TAILQ_EMPTY(&files->all);
}

int sw_files_open(struct sw_files *files, char *error, size_t error_size)
{
    struct sw_file *file;
    TAILQ_FOREACH(file, &files->all, link)
    {
        struct target *target = TAILQ_FIRST(&file->targets);
        if (file->conf.create_directory) {
            sw_file_make_folder(file->conf.path, file->conf.directory_mode);
        }
        if (target != NULL && target->fd < 0 && sw_target_open(file, target) != SW_OK) {
            const char *why = strerror(errno);
            snprintf(
                error, error_size, "exporter %s: open %s: %s", file->conf.id, target->path, why
            );
            return SW_E_SYSTEM;
        }
    }
    return SW_OK;
}

unsigned sw_files_poll(struct sw_files *files, uint64_t wall_ns)
{
    files->wall_ns = wall_ns;
    return sw_mailbox_poll(files->mailbox, MESSAGES_PER_POLL);
}

static void close_targets(struct sw_file *file, bool forget)
{
    struct target *target = TAILQ_FIRST(&file->targets);
    while (target != NULL) {
        struct target *next = TAILQ_NEXT(target, link);
        sw_target_close(target);
        if (forget) {
            TAILQ_REMOVE(&file->targets, target, link);
            file->targets_count--;
            sw_target_free(target);
        }
        target = next;
    }
}

void sw_files_close(struct sw_files *files)
{
    struct sw_file *file;
    TAILQ_FOREACH(file, &files->all, link)
    {
        close_targets(file, file->conf.group_attribute != NULL);
    }
}

static void file_free(struct sw_file *file)
{
    TAILQ_REMOVE(&file->files->all, file, link);
    close_targets(file, true);
    sw_free(file);
}

void sw_files_free(struct sw_files *files)
{
    if (files == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&files->all)) {
        file_free(TAILQ_FIRST(&files->all));
    }
    sw_codec_free(files->codec);
    sw_free(files);
}

/* ---- components ---- */

int sw_files_add(struct sw_files *files, const struct sw_file_conf *conf, struct sw_file **ret_file)
{
    struct sw_file *file;
    TAILQ_FOREACH(file, &files->all, link)
    {
        if (strcmp(file->conf.id, conf->id) == 0 && strcmp(file->conf.path, conf->path) == 0) {
            file->users_count++;
            *ret_file = file;
            return SW_OK;
        }
    }
    file = sw_zalloc(sizeof(*file));
    if (file == NULL) {
        return SW_E_NOMEM;
    }
    file->files = files;
    file->conf = *conf;
    file->users_count = 1;
    TAILQ_INIT(&file->targets);
    if (conf->group_attribute == NULL) {
        struct target *target = sw_target_new(conf->path);
        if (target == NULL) {
            sw_free(file);
            return SW_E_NOMEM;
        }
        TAILQ_INSERT_HEAD(&file->targets, target, link);
        file->targets_count = 1;
    }
    TAILQ_INSERT_TAIL(&files->all, file, link);
    *ret_file = file;
    return SW_OK;
}

void sw_files_remove(struct sw_file *file)
{
    if (file != NULL && --file->users_count == 0) {
        file_free(file);
    }
}
