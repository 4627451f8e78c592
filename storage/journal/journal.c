#include "dataplane/base/mem.h"
#include "storage/journal/journal_internal.h"

#include <errno.h>
#include <string.h>

#define MESSAGES_PER_POLL 256

/* ---- small things ---- */

void sw_job_append(struct job_list *list, struct sw_store_job *job)
{
    job->next = NULL;
    if (list->last != NULL) {
        list->last->next = job;
    } else {
        list->first = job;
    }
    list->last = job;
}

struct sw_store_job *sw_job_take(struct job_list *list)
{
    struct sw_store_job *job = list->first;
    if (job != NULL) {
        list->first = job->next;
        list->last = list->first != NULL ? list->last : NULL;
        job->next = NULL;
    }
    return job;
}

void sw_journal_tell(const struct sw_store *store, const struct sw_store_news *news)
{
    const struct sw_journal_conf *conf = &store->journal->conf;
    if (conf->told != NULL) {
        struct sw_store_news whole = *news;
        whole.id = store->conf.id;
        conf->told(conf->context, &whole);
    }
}

int sw_store_error(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return SW_OK;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        return SW_E_STORAGE_FULL;
    case ENOMEM:
        return SW_E_NOMEM;
    default:
        return SW_E_STORAGE;
    }
}

/* ---- jobs ---- */

static void deliver(struct sw_message *message, void *receiver)
{
    struct sw_store_job *job = (struct sw_store_job *)message;
    struct sw_store *store = job->queue->store;
    job->err = SW_OK;
    sw_job_append(job->op == SW_STORE_READ ? &store->reads : &store->writes, job);
}

void sw_store_send(struct sw_mailbox *from, struct sw_store_job *job)
{
    job->message.deliver = deliver;
    sw_mailbox_send(from, job->queue->store->journal->conf.index, &job->message);
}

/* ---- who is woken ---- */

static bool has_unread(const struct sw_store_queue *queue)
{
    return queue->committed.next_seq > queue->read_seq + 1 && queue->committed.requests > 0;
}

static void ear_deliver(struct sw_message *message, void *receiver)
{
    struct sw_core *core = receiver;
    struct sw_store_ear *ear = SW_CONTAINER_OF(message, struct sw_store_ear, wake);
    ear->wakes_count++;
    ear->woken(ear);
    sw_mailbox_return(core->mailbox, message);
}

static void ear_returned(struct sw_message *message, void *sender)
{
    // Whether it is to be woken again the next look over the ears says.
    SW_CONTAINER_OF(message, struct sw_store_ear, wake)->out = false;
}

static void wake_hungry(struct sw_store_queue *queue)
{
    struct sw_journal *journal = queue->store->journal;
    for (unsigned core = 0; core < journal->conf.cores_count; core++) {
        struct sw_store_ear *ear = queue->ears[core];
        if (ear != NULL && ear->hungry && !ear->out) {
            ear->hungry = false;
            ear->out = true;
            ear->sent_count++;
            ear->wake = (struct sw_message){.deliver = ear_deliver, .returned = ear_returned};
            sw_mailbox_send(journal->mailbox, core, &ear->wake);
        }
    }
}

/* ---- the actor ---- */

static unsigned work(struct sw_store *store)
{
    struct sw_store_queue *queue;
    unsigned done = sw_store_write(store);
    done += sw_store_read(store);
    LIST_FOREACH(queue, &store->queues, link)
    {
        if (has_unread(queue)) {
            wake_hungry(queue);
        }
    }
    return done;
}

unsigned sw_journal_poll(struct sw_journal *journal, uint64_t wall_ns)
{
    struct sw_store *store;
    journal->wall_ns = wall_ns;
    unsigned done = sw_mailbox_poll(journal->mailbox, MESSAGES_PER_POLL);
    LIST_FOREACH(store, &journal->stores, link)
    {
        done += work(store);
    }
    return done;
}

struct sw_mailbox *sw_journal_mailbox(struct sw_journal *journal)
{
    return journal->mailbox;
}

void sw_journal_close(struct sw_journal *journal)
{
    struct sw_store *store;
    LIST_FOREACH(store, &journal->stores, link)
    {
        sw_store_close(store);
    }
}

/* ---- control ---- */

int sw_journal_new(const struct sw_journal_conf *conf, struct sw_journal **ret_journal)
{
    struct sw_journal *journal = sw_zalloc(sizeof(*journal));
    if (journal == NULL) {
        return SW_E_NOMEM;
    }
    journal->conf = *conf;
    journal->mailbox = sw_post_mailbox(conf->post, conf->index);
    LIST_INIT(&journal->stores);
    LIST_INIT(&journal->aliases);
    sw_mailbox_bind(journal->mailbox, journal);
    *ret_journal = journal;
    return SW_OK;
}

static void store_free(struct sw_store *store)
{
    sw_store_close(store);
    while (!LIST_EMPTY(&store->queues)) {
        struct sw_store_queue *queue = LIST_FIRST(&store->queues);
        LIST_REMOVE(queue, link);
        if (queue->orphan) {
            sw_free((char *)queue->exporter);
        }
        sw_free(queue);
    }
    LIST_REMOVE(store, link);
    sw_free(store->stem);
    sw_free(store);
}

void sw_journal_free(struct sw_journal *journal)
{
    if (journal == NULL) {
        return;
    }
    while (!LIST_EMPTY(&journal->stores)) {
        store_free(LIST_FIRST(&journal->stores));
    }
    while (!LIST_EMPTY(&journal->aliases)) {
        struct alias *alias = LIST_FIRST(&journal->aliases);
        LIST_REMOVE(alias, link);
        sw_free(alias);
    }
    sw_free(journal);
}

struct sw_store *sw_journal_find(struct sw_journal *journal, const char *id)
{
    struct sw_store *store;
    LIST_FOREACH(store, &journal->stores, link)
    {
        if (strcmp(store->conf.id, id) == 0) {
            return store;
        }
    }
    return NULL;
}

int sw_journal_add(
    struct sw_journal *journal,
    const struct sw_store_conf *conf,
    struct sw_store **ret_store
)
{
    if (sw_journal_find(journal, conf->id) != NULL) {
        return SW_E_EXISTS;
    }
    struct sw_store *store = sw_zalloc(sizeof(*store));
    if (store == NULL) {
        return SW_E_NOMEM;
    }
    store->journal = journal;
    store->conf = *conf;
    store->lock_fd = store->data_fd = store->heads.fd = -1;
    LIST_INIT(&store->queues);
    LIST_INSERT_HEAD(&journal->stores, store, link);
    *ret_store = store;
    return SW_OK;
}

int sw_journal_alias(struct sw_journal *journal, const char *alias, const char *exporter)
{
    struct alias *node = sw_alloc(sizeof(*node));
    if (node == NULL) {
        return SW_E_NOMEM;
    }
    *node = (struct alias){.alias = alias, .exporter = exporter};
    LIST_INSERT_HEAD(&journal->aliases, node, link);
    return SW_OK;
}

static const char *real_name(const struct sw_journal *journal, const char *exporter)
{
    const struct alias *alias;
    LIST_FOREACH(alias, &journal->aliases, link)
    {
        if (strcmp(alias->alias, exporter) == 0) {
            return alias->exporter;
        }
    }
    return exporter;
}

int sw_store_add_queue(
    struct sw_store *store,
    const char *exporter,
    enum sw_signal signal,
    struct sw_store_queue **ret_queue
)
{
    struct sw_store_queue *queue;
    if (store->queues_count == SW_STORE_QUEUES_MAX || strlen(exporter) > SW_RECORD_ID_MAX) {
        return SW_E_TOO_LARGE;
    }
    queue = sw_zalloc(sizeof(*queue));
    if (queue == NULL) {
        return SW_E_NOMEM;
    }
    queue->store = store;
    queue->exporter = real_name(store->journal, exporter);
    queue->signal = signal;
    store->queues_count++;
    LIST_INSERT_HEAD(&store->queues, queue, link);
    *ret_queue = queue;
    return SW_OK;
}

void sw_store_queue_listen(struct sw_store_queue *queue, unsigned core, struct sw_store_ear *ear)
{
    queue->ears[core] = ear;
}

bool sw_journal_any(const struct sw_journal *journal)
{
    return !LIST_EMPTY(&journal->stores);
}

int sw_journal_open(struct sw_journal *journal, char *error, size_t error_size)
{
    struct sw_store *store;
    LIST_FOREACH(store, &journal->stores, link)
    {
        int err = sw_store_open(store, error, error_size);
        if (err != SW_OK) {
            sw_journal_close(journal);
            return err;
        }
    }
    return SW_OK;
}

struct sw_store_counts sw_store_queue_counts(const struct sw_store_queue *queue)
{
    return queue->counts;
}

bool sw_store_queue_full(struct sw_store_queue *queue)
{
    return atomic_load_explicit(&queue->full, memory_order_relaxed);
}

uint64_t sw_store_used_bytes(struct sw_store *store)
{
    return atomic_load_explicit(&store->used_bytes, memory_order_relaxed);
}

uint64_t sw_store_max_bytes(const struct sw_store *store)
{
    return store->conf.max_bytes > 0 ? SW_MAX(store->conf.max_bytes, STORE_BYTES_MIN) : 0;
}

uint64_t sw_store_queue_left(struct sw_store_queue *queue)
{
    return atomic_load_explicit(&queue->left_count, memory_order_relaxed);
}

uint64_t sw_store_queue_skipped(struct sw_store_queue *queue)
{
    return atomic_load_explicit(&queue->skipped_count, memory_order_relaxed);
}

void sw_store_queue_skip(struct sw_store_queue *queue)
{
    atomic_fetch_add_explicit(&queue->skipped_count, 1, memory_order_relaxed);
}

struct sw_store_queue *sw_store_next_queue(struct sw_store *store, struct sw_store_queue *queue)
{
    queue = queue == NULL ? LIST_FIRST(&store->queues) : LIST_NEXT(queue, link);
    while (queue != NULL && queue->orphan) {
        queue = LIST_NEXT(queue, link);
    }
    return queue;
}

const char *sw_store_queue_exporter(const struct sw_store_queue *queue)
{
    return queue->exporter;
}

enum sw_signal sw_store_queue_signal(const struct sw_store_queue *queue)
{
    return queue->signal;
}
