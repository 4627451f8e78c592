/* Actors that write to disks: files of exporters, stores of queues. Each has a thread only when there is something
 * for it to do. */
#include "control/service/service_internal.h"
#include "dataplane/base/mem.h"
#include "storage/journal/file_storage_conf.h"

static const struct sw_metric_family used_family = {
    .name = "spanweir_file_storage_used_bytes",
    .help = "Room that the requests in a store take.",
    .unit = "By",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static const struct sw_metric_family size_family = {
    .name = "spanweir_file_storage_max_bytes",
    .help = "Room that a store has; 0: what the disk holds.",
    .unit = "By",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
};

static double read_used(void *context)
{
    return (double)sw_store_used_bytes(context);
}

static double read_size(void *context)
{
    return (double)sw_store_max_bytes(context);
}

static int show(struct service *service, const char *id, struct sw_store *store)
{
    const struct sw_label label = {"extension", id};
    int err = sw_metrics_observe(service->metrics, &used_family, &label, 1, read_used, store);
    if (err == SW_OK) {
        err = sw_metrics_observe(service->metrics, &size_family, &label, 1, read_size, store);
    }
    return err;
}

static void told(void *context, const struct sw_store_news *news)
{
    struct sw_log_field fields[4] = {
        sw_log_text("otelcol.component.id", news->id),
        sw_log_text("otelcol.component.kind", "extension"),
    };
    unsigned count = 2;
    if (news->text_key != NULL) {
        fields[count++] = sw_log_text(news->text_key, news->text);
    }
    if (news->count_key != NULL) {
        fields[count++] = sw_log_integer(news->count_key, news->count);
    }
    enum sw_log_level level = news->warning ? SW_LOG_WARN : SW_LOG_INFO;
    sw_observe_log(context, level, SW_LOG_HERE, news->message, fields, count);
}

int sw_service_stores_new(struct service *service, unsigned mailbox)
{
    const struct sw_conf *conf = service->conf;
    const struct sw_journal_conf journal_conf = {
        .post = service->post,
        .index = mailbox,
        .account = &service->account,
        .cores_count = service->cores_count,
        .told = told,
        .context = service,
    };
    int err = sw_journal_new(&journal_conf, &service->journal);
    const struct sw_queue_drain *emptying = service->emptying;
    for (unsigned i = 0; err == SW_OK && emptying != NULL && i < emptying->aliases_count; i++) {
        err = sw_journal_alias(service->journal, emptying->aliases[i][0], emptying->aliases[i][1]);
    }
    for (size_t i = 0; err == SW_OK && i < conf->extensions_count; i++) {
        const struct sw_conf_component *extension = conf->extensions[i];
        if (extension->component != &sw_file_storage) {
            continue;
        }
        struct sw_store_conf store_conf = sw_file_storage_store(extension->id, extension->conf);
        struct sw_store *store;
        err = sw_journal_add(service->journal, &store_conf, &store);
        if (err == SW_OK) {
            err = show(service, extension->id, store);
        }
    }
    return err;
}

static unsigned poll_files(void *self, uint64_t wall_ns)
{
    return sw_files_poll(self, wall_ns);
}

static void close_files(void *self)
{
    sw_files_close(self);
}

static unsigned poll_journal(void *self, uint64_t wall_ns)
{
    return sw_journal_poll(self, wall_ns);
}

static void close_journal(void *self)
{
    sw_journal_close(self);
}

static int open_files(struct service *service, char *error, size_t error_size)
{
    if (!sw_files_any(service->files)) {
        return SW_OK;
    }
    const struct sw_actor actor = {
        .name = "files",
        .mailbox = sw_files_mailbox(service->files),
        .poll = poll_files,
        .close = close_files,
        .self = service->files,
    };
    int err = sw_files_open(service->files, error, error_size);
    return err == SW_OK ? sw_actor_thread_new(&actor, &service->files_thread) : err;
}

int sw_service_disks_open(struct service *service, char *error, size_t error_size)
{
    int err = open_files(service, error, error_size);
    if (err != SW_OK || !sw_journal_any(service->journal)) {
        return err;
    }
    const struct sw_actor actor = {
        .name = "storage",
        .mailbox = sw_journal_mailbox(service->journal),
        .poll = poll_journal,
        .close = close_journal,
        .self = service->journal,
    };
    err = sw_journal_open(service->journal, error, error_size);
    return err == SW_OK ? sw_actor_thread_new(&actor, &service->journal_thread) : err;
}

void sw_service_disks_close(struct service *service)
{
    sw_actor_thread_free(service->files_thread);
    sw_actor_thread_free(service->journal_thread);
    service->files_thread = service->journal_thread = NULL;
}
