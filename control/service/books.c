/* The books of all pipelines on the metrics page, and the look at them once a second: each item that
 * came in is in exactly one place. */
#include "control/service/observe_internal.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <string.h>

// Entries in reading order: what came in, what left the pipeline, what it holds, what the branch has.
enum {
    BRANCH_STATES_AT = SW_FLOWS_COUNT,
    ERROR_AT = SW_FLOWS_COUNT + SW_BRANCH_FLOWS_COUNT,
    VIEWS_COUNT,
};

static const char *const states[ERROR_AT] = {
    [SW_FLOW_RECEIVED] = "received",
    [SW_FLOW_GENERATED] = "generated",
    [SW_FLOW_FILTERED] = "filtered",
    [SW_FLOW_NOT_SAMPLED] = "not_sampled",
    [SW_FLOW_EVICTED] = "failed_evicted",
    [SW_FLOW_HELD] = "held",
    [SW_FLOW_IN_BATCH] = "in_batch",
    [BRANCH_STATES_AT + SW_BRANCH_QUEUED] = "queued",
    [BRANCH_STATES_AT + SW_BRANCH_STORED] = "stored",
    [BRANCH_STATES_AT + SW_BRANCH_DELIVERED] = "delivered",
    [BRANCH_STATES_AT + SW_BRANCH_FAILED_QUEUE_FULL] = "failed_queue_full",
    [BRANCH_STATES_AT + SW_BRANCH_FAILED_PERMANENT] = "failed_permanent",
    [BRANCH_STATES_AT + SW_BRANCH_FAILED_RETRIES] = "failed_retries",
    [BRANCH_STATES_AT + SW_BRANCH_FAILED_SHUTDOWN] = "failed_shutdown",
    [BRANCH_STATES_AT + SW_BRANCH_FAILED_MEMORY] = "failed_memory",
};

static const char *const signals[SW_SIGNALS_COUNT] = {"traces", "metrics", "logs"};

static const struct sw_metric_family items_family = {
    .name = "spanweir_balance_items",
    .help = "Where the items of a pipeline are, for each exporter behind it:"
            " received + generated = all other states together.",
    .unit = "{item}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
    .is_double = true,
};

static const struct sw_metric_family error_family = {
    .name = "spanweir_balance_error",
    .help = "Items that came in, less those accounted for; not 0 is an error of spanweir.",
    .unit = "{item}",
    .type = SW_GAUGE,
    .level = SW_LEVEL_BASIC,
    .is_double = true,
};

struct book;

/* One series: which entry of which book. */
struct view {
    const struct book *book;
    unsigned at;
};

/* One pipeline as one exporter behind it sees it. */
struct book {
    struct sw_balance *balance;
    unsigned branch;
    int64_t told_error; // that the log has told
    struct sw_balance_sum sum;
    struct view views[VIEWS_COUNT];
};

struct observer_books {
    struct sw_metrics *metrics;
    unsigned count;
    struct book items[];
};

static double read_view(void *context)
{
    const struct view *view = context;
    const struct sw_balance_sum *sum = &view->book->sum;
    if (view->at == ERROR_AT) {
        return (double)sum->error;
    }
    if (view->at >= BRANCH_STATES_AT) {
        return (double)sum->branch[view->at - BRANCH_STATES_AT];
    }
    return (double)sum->flow[view->at];
}

static int show_book(struct sw_metrics *metrics, struct book *book)
{
    struct sw_label labels[] = {
        {"signal", signals[sw_balance_signal(book->balance)]},
        {"pipeline", sw_balance_pipeline(book->balance)},
        {"exporter", sw_balance_exporter(book->balance, book->branch)},
        {"state", NULL},
    };
    int err = SW_OK;
    for (unsigned i = 0; err == SW_OK && i < VIEWS_COUNT; i++) {
        const struct sw_metric_family *family = i == ERROR_AT ? &error_family : &items_family;
        unsigned count = SW_ARRAY_SIZE(labels);
        if (i == ERROR_AT) {
            count--;
        } else {
            labels[count - 1].value = states[i];
        }
        book->views[i] = (struct view){.book = book, .at = i};
        err = sw_metrics_observe(metrics, family, labels, count, read_view, &book->views[i]);
    }
    return err;
}

int sw_observer_books_new(struct service *service)
{
    const struct sw_generation *generation = service->generation;
    unsigned pipelines_count = sw_generation_balances_count(generation);
    unsigned count = 0;
    for (unsigned i = 0; i < pipelines_count; i++) {
        count += sw_balance_branches_count(sw_generation_balance(generation, i));
    }
    struct observer_books *books = sw_zalloc(sizeof(*books) + count * sizeof(struct book));
    if (books == NULL) {
        return SW_E_NOMEM;
    }
    service->observer->books = books;
    books->metrics = service->metrics;
    int err = SW_OK;
    for (unsigned i = 0; i < pipelines_count; i++) {
        struct sw_balance *balance = sw_generation_balance(generation, i);
        for (unsigned k = 0; err == SW_OK && k < sw_balance_branches_count(balance); k++) {
            struct book *book = &books->items[books->count++];
            book->balance = balance;
            book->branch = k;
            err = show_book(service->metrics, book);
        }
    }
    return err;
}

void sw_observer_books_free(struct observer_books *books)
{
    for (unsigned i = 0; books != NULL && i < books->count; i++) {
        for (unsigned k = 0; k < VIEWS_COUNT; k++) {
            sw_metrics_unobserve(books->metrics, &books->items[i].views[k]);
        }
    }
    sw_free(books);
}

void sw_observer_books_refresh(struct observer_books *books)
{
    for (unsigned i = 0; i < books->count; i++) {
        struct book *book = &books->items[i];
        sw_balance_read(book->balance, book->branch, &book->sum);
    }
}

void sw_observe_check_books(struct service *service)
{
    struct observer_books *books = service->observer->books;
    sw_observer_books_refresh(books);
    for (unsigned i = 0; i < books->count; i++) {
        struct book *book = &books->items[i];
        if (book->sum.error == book->told_error) {
            continue;
        }
        book->told_error = book->sum.error;
        struct sw_log_field fields[] = {
            sw_log_text("otelcol.pipeline.id", sw_balance_pipeline(book->balance)),
            sw_log_text("exporter", sw_balance_exporter(book->balance, book->branch)),
            sw_log_integer("items", book->sum.error),
        };
        bool wrong = book->sum.error != 0;
        sw_observe_log(
            service,
            wrong ? SW_LOG_ERROR : SW_LOG_INFO,
            SW_LOG_HERE,
            wrong ? "The books of a pipeline do not balance" : "The books balance again",
            fields,
            SW_ARRAY_SIZE(fields)
        );
    }
}
