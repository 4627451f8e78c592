/* A store in a folder of its own with its actor, stepped by hand, and one core that sends jobs. */
#ifndef SW_TESTS_LIB_SHELF_H
#define SW_TESTS_LIB_SHELF_H

#include "storage/journal/journal.h"
#include "tests/lib/bench.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHELF_ACTOR 1

struct shelf {
    struct sw_account account;
    struct sw_core core;
    struct sw_post *post;
    struct sw_journal *journal;
    struct sw_store *store;
    struct sw_store_conf conf;
    char folder[64];
    char error[1024];
    char news[4096]; // a line for each
};

static struct shelf shelf;

static inline int shelf_remove_one(const char *path, const struct stat *i, int k, struct FTW *f)
{
    return remove(path);
}

static inline void shelf_told(void *context, const struct sw_store_news *news)
{
    size_t at = strlen(shelf.news);
    snprintf(
        shelf.news + at,
        sizeof(shelf.news) - at,
        "%s %s=%s %s=%lld\n",
        news->message,
        news->text_key != NULL ? news->text_key : "",
        news->text != NULL ? news->text : "",
        news->count_key != NULL ? news->count_key : "",
        (long long)news->count
    );
}

/** A fresh folder, nothing in it. */
static inline void shelf_folder(void)
{
    memset(&shelf, 0, sizeof(shelf));
    snprintf(shelf.folder, sizeof(shelf.folder), "%s", "/tmp/spanweir-store-XXXXXX");
    assert_non_null(mkdtemp(shelf.folder));
    shelf.conf = (struct sw_store_conf){.id = "file_storage", .directory = shelf.folder};
    bench_core_init(&shelf.core, &shelf.account);
}

/** Actor and store; queues can be added. */
static inline void shelf_make(void)
{
    shelf.news[0] = '\0';
    assert_int_equal(sw_post_new(2, 64, &shelf.post), 0);
    shelf.core.mailbox = sw_post_mailbox(shelf.post, 0);
    sw_mailbox_bind(shelf.core.mailbox, &shelf.core);
    const struct sw_journal_conf conf = {
        .post = shelf.post,
        .index = SHELF_ACTOR,
        .account = &shelf.account,
        .cores_count = 1,
        .told = shelf_told,
    };
    assert_int_equal(sw_journal_new(&conf, &shelf.journal), 0);
    assert_int_equal(sw_journal_add(shelf.journal, &shelf.conf, &shelf.store), 0);
}

static inline struct sw_store_queue *shelf_queue(const char *exporter, enum sw_signal signal)
{
    struct sw_store_queue *queue;
    assert_int_equal(sw_store_add_queue(shelf.store, exporter, signal, &queue), 0);
    return queue;
}

static inline int shelf_start(void)
{
    return sw_journal_open(shelf.journal, shelf.error, sizeof(shelf.error));
}

/** Until neither the actor nor the core has anything to do. */
static inline void shelf_run(void)
{
    unsigned done;
    do {
        done = sw_journal_poll(shelf.journal, BENCH_WALL_NS);
        done += sw_mailbox_poll(shelf.core.mailbox, 100);
    } while (done > 0);
}

/** Nothing is said to the store but that the process ends. */
static inline void shelf_stop(void)
{
    sw_journal_close(shelf.journal);
    sw_journal_free(shelf.journal);
    sw_post_free(shelf.post);
    shelf.journal = NULL;
}

static inline void shelf_clear(void)
{
    assert_int_equal(sw_account_charged(&shelf.account), 0);
    nftw(shelf.folder, shelf_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void shelf_path(const char *suffix, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/spanweir_file_storage.%s", shelf.folder, suffix);
}

/* ---- jobs, one at a time ---- */

struct shelf_job {
    struct sw_store_job job;
    bool back;
};

static inline void shelf_returned(struct sw_message *message, void *sender)
{
    ((struct shelf_job *)message)->back = true;
}

static inline void shelf_do(struct shelf_job *job)
{
    job->job.message.returned = shelf_returned;
    job->back = false;
    sw_store_send(shelf.core.mailbox, &job->job);
    shelf_run();
    assert_true(job->back);
}

/** Appends a batch and frees it. @return 0 or an error of the store */
static inline int shelf_append_batch(struct sw_store_queue *queue, struct sw_batch *batch)
{
    struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_APPEND, .batch = batch}};
    shelf_do(&job);
    sw_batch_free(batch);
    return job.job.err;
}

static inline int shelf_append(struct sw_store_queue *queue, uint32_t items)
{
    return shelf_append_batch(queue, bench_batch(items));
}

/** Reads the next. @return its sequence number; 0: there is none */
static inline uint64_t shelf_read(struct sw_store_queue *queue, uint32_t *ret_items)
{
    struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_READ}};
    shelf_do(&job);
    if (job.job.err != SW_OK) {
        assert_int_equal(job.job.err, SW_E_AGAIN);
        return 0;
    }
    *ret_items = job.job.record.items_count;
    sw_buf_unref(job.job.buf);
    return job.job.seq;
}

static inline int shelf_release(struct sw_store_queue *queue, uint64_t seq)
{
    struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_RELEASE, .seq = seq}};
    shelf_do(&job);
    return job.job.err;
}

#endif
