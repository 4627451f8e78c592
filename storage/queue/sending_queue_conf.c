#include "storage/queue/sending_queue_conf.h"

#include <strings.h>

static const char *const sizer_words[] = {"requests", "items", "bytes", NULL};

// clang-format off
static const struct sw_field partition_fields[] = {
    SW_STRINGS("metadata_keys", struct sw_queue_batch_conf, partition.metadata_keys, NULL,
               "a batch of its own for each combination of these client metadata"),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
static const struct sw_field batch_fields[] = {
    SW_DURATION("flush_timeout", struct sw_queue_batch_conf, flush_timeout_ns, "200ms",
                "a batch is sent after this time at the latest"),
    SW_ENUM("sizer", struct sw_queue_batch_conf, sizer, sizer_words, "items",
            "unit of min_size and max_size: items or bytes"),
    SW_INT("min_size", struct sw_queue_batch_conf, min_size, "8192", "a batch is sent from here"),
    SW_INT("max_size", struct sw_queue_batch_conf, max_size, "0",
           "larger batches are split; 0 never"),
    SW_SECTION("partition", struct sw_queue_batch_conf, partition_fields, "several batches at once"),
    SW_FIELD_END,
};
// clang-format on

static void complain(struct sw_check *check, const char *path, const char *text)
{
    sw_complain(check, SW_COMPLAINT_ERROR, path, "%s", text);
}

static void batch_check(void *section, struct sw_check *check)
{
    const struct sw_queue_batch_conf *conf = section;
    if (conf->flush_timeout_ns <= 0) {
        complain(check, "flush_timeout", "`flush_timeout` must be positive");
    }
    if (conf->min_size < 0) {
        complain(check, "min_size", "`min_size` must be non-negative");
    }
    if (conf->max_size < 0) {
        complain(check, "max_size", "`max_size` must be non-negative");
    }
    if (conf->max_size > 0 && conf->max_size < conf->min_size) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_size",
            "`max_size` (%lld) must be greater or equal to `min_size` (%lld)",
            (long long)conf->max_size,
            (long long)conf->min_size
        );
    }
    const struct sw_list *keys = &conf->partition.metadata_keys;
    for (size_t i = 0; i < keys->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(SW_LIST_AT(*keys, const char *, i), SW_LIST_AT(*keys, const char *, j))
                == 0) {
                complain(check, "partition::metadata_keys", "duplicate entry");
            }
        }
    }
}

// clang-format off
const struct sw_field sw_sending_queue_fields[] = {
    SW_INT("num_consumers", struct sw_sending_queue_conf, num_consumers, "10",
           "requests that are sent at once, over the whole process"),
    SW_INT("queue_size", struct sw_sending_queue_conf, queue_size, "1000",
           "what may wait or be under way, in units of sizer"),
    SW_ENUM("sizer", struct sw_sending_queue_conf, sizer, sizer_words, "requests",
            "unit of queue_size: requests, items or bytes"),
    SW_BOOL("block_on_overflow", struct sw_sending_queue_conf, block_on_overflow, "false",
            "wait for room instead of refusing"),
    SW_BOOL("wait_for_result", struct sw_sending_queue_conf, wait_for_result, "false",
            "the sender waits for the export's result"),
    SW_ID("storage", struct sw_sending_queue_conf, storage,
          "storage extension that keeps the queue over restarts", .flags = SW_FIELD_OMIT),
    SW_OPTIONAL("batch", struct sw_sending_queue_conf, batch, batch_fields,
                "joins requests of the queue", .check = batch_check),
    SW_FIELD_END,
};
// clang-format on

void sw_sending_queue_check(void *section, struct sw_check *check)
{
    struct sw_sending_queue_conf *conf = section;
    if (conf->num_consumers <= 0) {
        complain(check, "num_consumers", "`num_consumers` must be positive");
    }
    if (conf->queue_size <= 0) {
        complain(check, "queue_size", "`queue_size` must be positive");
    }
    if (conf->storage[0] != '\0' && conf->wait_for_result) {
        complain(
            check,
            "wait_for_result",
            "`wait_for_result` is not supported with a persistent queue configured with `storage`"
        );
    }
    if (!conf->batch.enabled) {
        return;
    }
    // A sizer that is written here and not there is inherited, even requests, which then refuses.
    if (check->given(check, "sizer") && !check->given(check, "batch::sizer")) {
        conf->batch.sizer = conf->sizer;
    }
    if (conf->batch.sizer == SW_SIZER_REQUESTS) {
        complain(
            check, "batch", "`batch` supports only `items` or `bytes` sizer, found \"requests\""
        );
    }
    if (conf->batch.sizer == conf->sizer && conf->batch.min_size > conf->queue_size) {
        complain(check, "batch::min_size", "`min_size` must be less than or equal to `queue_size`");
    }
}
