/* What waits: one lane, or one for each combination of the senders' metadata (`partition`). */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/client.h"
#include "storage/queue/queue_internal.h"

#include <string.h>

#define KEY_INLINE 512

static void on_flush(struct sw_timer *timer, uint64_t now_ns)
{
    struct lane *lane = SW_CONTAINER_OF(timer, struct lane, flush);
    struct queue *queue = lane->queue;
    lane->due = true;
    sw_lane_look(lane);
    sw_queue_pump(queue);
}

static struct lane *lane_new(struct queue *queue, const uint8_t *key, uint32_t key_size)
{
    struct lane *lane = sw_zalloc(sizeof(*lane) + key_size);
    if (lane != NULL) {
        lane->queue = queue;
        lane->key_size = key_size;
        if (key_size > 0) {
            memcpy(lane->key, key, key_size);
        }
        sw_timer_init(&lane->flush, on_flush);
    }
    return lane;
}

static void lane_free(struct lane *lane)
{
    sw_timer_cancel(&lane->queue->stage.core->timers, &lane->flush);
    sw_free(lane);
}

int sw_lanes_init(struct queue *queue)
{
    TAILQ_INIT(&queue->ready);
    queue->plain = lane_new(queue, NULL, 0);
    if (queue->plain == NULL) {
        return SW_E_NOMEM;
    }
    const struct sw_queue_batch_conf *conf = &queue->conf->batch;
    if (conf->enabled && conf->partition.metadata_keys.count > 0) {
        queue->partitions = sw_zalloc(QUEUE_BUCKETS * sizeof(queue->partitions[0]));
        return queue->partitions != NULL ? SW_OK : SW_E_NOMEM;
    }
    return SW_OK;
}

void sw_lanes_fini(struct queue *queue)
{
    if (queue->plain != NULL) {
        lane_free(queue->plain);
    }
    sw_free(queue->partitions); // those with a key have gone with what waited in them
}

/* ---- partitions ---- */

/** The values of the metadata, each behind its length; the end of a name is a length that no value has. */
struct key {
    uint8_t *data;
    size_t size;
    uint64_t hash;
};

static void key_add(struct key *key, const void *data, size_t size)
{
    if (key->data != NULL) {
        memcpy(key->data + key->size, data, size);
    }
    key->size += size;
    for (size_t i = 0; i < size; i++) {
        key->hash = (key->hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u; // FNV-1a
    }
}

static void key_make(const struct queue *queue, const struct sw_client *client, struct key *key)
{
    static const uint32_t end = UINT32_MAX;
    const struct sw_list *names = &queue->conf->batch.partition.metadata_keys;
    key->size = 0;
    key->hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < names->count; i++) {
        const char *text = SW_LIST_AT(*names, const char *, i);
        struct sw_bytes name = {(const uint8_t *)text, strlen(text)};
        struct sw_bytes value;
        uint32_t at = 0;
        while (sw_client_next(client, name, &at, &value)) {
            uint32_t size = (uint32_t)value.size;
            key_add(key, &size, sizeof(size));
            if (size > 0) {
                key_add(key, value.data, size);
            }
        }
        key_add(key, &end, sizeof(end));
    }
}

static struct lane *lane_of_key(struct queue *queue, const struct key *key)
{
    struct lane_list *bucket = &queue->partitions[key->hash % QUEUE_BUCKETS];
    struct lane *lane;
    LIST_FOREACH(lane, bucket, bucket)
    {
        if (lane->key_size == key->size && memcmp(lane->key, key->data, key->size) == 0) {
            return lane;
        }
    }
    lane = lane_new(queue, key->data, (uint32_t)key->size);
    if (lane != NULL) {
        LIST_INSERT_HEAD(bucket, lane, bucket);
    }
    return lane;
}

// Without memory for a lane of its own a request goes alone.
static struct lane *lane_of(struct queue *queue, const struct sw_batch *batch)
{
    uint8_t inlined[KEY_INLINE];
    struct key key = {.data = NULL};
    if (queue->partitions == NULL) {
        return queue->plain;
    }
    key_make(queue, batch->client, &key);
    uint8_t *data = key.size <= sizeof(inlined) ? inlined : sw_alloc(key.size);
    if (data == NULL) {
        return queue->plain;
    }
    key.data = data;
    key_make(queue, batch->client, &key);
    struct lane *lane = lane_of_key(queue, &key);
    if (data != inlined) {
        sw_free(data);
    }
    return lane != NULL ? lane : queue->plain;
}

/* ---- what waits ---- */

static bool has_enough(const struct lane *lane)
{
    const struct queue *queue = lane->queue;
    if (lane->waiting.first == NULL) {
        return false;
    }
    if (!queue->conf->batch.enabled || lane->due || queue->stopped) {
        return true;
    }
    bool alone = queue->partitions != NULL && lane == queue->plain;
    return alone || lane->units_waiting >= (uint64_t)queue->conf->batch.min_size;
}

void sw_lane_look(struct lane *lane)
{
    struct queue *queue = lane->queue;
    struct sw_core *core = queue->stage.core;
    bool ready = has_enough(lane);
    if (lane->is_ready) {
        TAILQ_REMOVE(&queue->ready, lane, ready); // others come first
    }
    lane->is_ready = ready;
    if (ready) {
        TAILQ_INSERT_TAIL(&queue->ready, lane, ready);
    } else if (lane->waiting.first == NULL && lane != queue->plain) {
        LIST_REMOVE(lane, bucket);
        lane_free(lane);
    } else if (lane->waiting.first != NULL && !lane->flush.armed) {
        uint64_t wait_ns = (uint64_t)queue->conf->batch.flush_timeout_ns;
        sw_timer_set(&core->timers, &lane->flush, core->now_ns + wait_ns);
    }
}

void sw_lane_append(struct queue *queue, struct entry *entry)
{
    struct lane *lane = lane_of(queue, entry->batch);
    if (queue->conf->batch.enabled) {
        lane->units_waiting += sw_queue_units(entry->batch, queue->conf->batch.sizer);
    }
    sw_entry_list_append(&lane->waiting, entry);
    queue->waiting_count++;
    if (!lane->is_ready) {
        sw_lane_look(lane);
    }
}

struct entry *sw_lane_take(struct lane *lane)
{
    lane->queue->waiting_count--;
    return sw_entry_list_take(&lane->waiting);
}

void sw_lanes_stop(struct queue *queue)
{
    struct lane *lane;
    if (queue->plain != NULL) {
        sw_lane_look(queue->plain);
    }
    for (unsigned i = 0; queue->partitions != NULL && i < QUEUE_BUCKETS; i++) {
        LIST_FOREACH(lane, &queue->partitions[i], bucket)
        {
            sw_lane_look(lane); // something waits in it: it stays
        }
    }
}
