#include "storage/journal/record.h"

#include "dataplane/base/crc32c.h"
#include "dataplane/base/mem.h"

#include <string.h>

#define MAGIC      "SWR1"
#define MAGIC_SIZE 4
#define SUMMED_AT  8
#define PAIRS_MAX  4096

/* ---- numbers ---- */

static uint8_t *put(uint8_t *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
    return to + size;
}

static uint64_t get(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)from[i] << (8 * i);
    }
    return value;
}

/* ---- clients ---- */

static uint64_t client_size(const struct sw_client *client)
{
    if (client == NULL) {
        return 0;
    }
    uint64_t size = 8 + client->address.size;
    for (uint32_t i = 0; i < client->pairs_count; i++) {
        size += 8 + client->pairs[i].name.size + client->pairs[i].value.size;
    }
    return size;
}

static uint8_t *put_text(uint8_t *to, struct sw_bytes text)
{
    to = put(to, text.size, 4);
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    return to + text.size;
}

static uint8_t *put_client(uint8_t *to, const struct sw_client *client)
{
    if (client == NULL) {
        return to;
    }
    to = put(to, client->pairs_count, 4);
    to = put_text(to, client->address);
    for (uint32_t i = 0; i < client->pairs_count; i++) {
        to = put_text(to, client->pairs[i].name);
        to = put_text(to, client->pairs[i].value);
    }
    return to;
}

static bool take_text(struct sw_bytes *from, struct sw_bytes *ret_text)
{
    if (from->size < 4) {
        return false;
    }
    size_t size = (size_t)get(from->data, 4);
    if (size > from->size - 4) {
        return false;
    }
    *ret_text = (struct sw_bytes){from->data + 4, size};
    *from = (struct sw_bytes){from->data + 4 + size, from->size - 4 - size};
    return true;
}

int sw_record_client(
    const struct sw_record *record,
    struct sw_account *account,
    struct sw_client **ret_client
)
{
    struct sw_bytes left = record->client;
    struct sw_bytes address;
    *ret_client = NULL;
    if (left.size == 0) {
        return SW_OK;
    }
    if (left.size < 4) {
        return SW_E_MALFORMED;
    }
    uint32_t count = (uint32_t)get(left.data, 4);
    left = (struct sw_bytes){left.data + 4, left.size - 4};
    if (count > PAIRS_MAX || !take_text(&left, &address)) {
        return SW_E_MALFORMED;
    }
    struct sw_client_pair *pairs = sw_alloc(count * sizeof(*pairs));
    if (pairs == NULL) {
        return SW_E_NOMEM;
    }
    int err = SW_OK;
    for (uint32_t i = 0; err == SW_OK && i < count; i++) {
        if (!take_text(&left, &pairs[i].name) || !take_text(&left, &pairs[i].value)) {
            err = SW_E_MALFORMED;
        }
    }
    if (err == SW_OK) {
        *ret_client = sw_client_new(account, address, pairs, count);
        err = *ret_client != NULL ? SW_OK : SW_E_NOMEM;
    }
    sw_free(pairs);
    return err;
}

/* ---- records ---- */

uint64_t sw_record_size(const char *exporter, const struct sw_batch *batch)
{
    return SW_RECORD_HEAD_BYTES + strlen(exporter) + client_size(batch->client) + batch->bytes;
}

void sw_record_write(
    const char *exporter,
    const struct sw_batch *batch,
    uint64_t seq,
    uint64_t accepted_wall_ns,
    uint8_t *out
)
{
    size_t size = (size_t)sw_record_size(exporter, batch);
    struct sw_bytes id = {(const uint8_t *)exporter, strlen(exporter)};
    memcpy(out, MAGIC, MAGIC_SIZE);
    uint8_t *at = out + SUMMED_AT;
    at = put(at, size, 4);
    at = put(at, SW_RECORD_VERSION, 1);
    at = put(at, batch->signal, 1);
    at = put(at, id.size, 2);
    at = put(at, seq, 8);
    at = put(at, batch->items_count, 4);
    at = put(at, client_size(batch->client), 4);
    at = put(at, accepted_wall_ns, 8);
    memcpy(at, id.data, id.size);
    at = put_client(at + id.size, batch->client);
    sw_batch_copy_out(batch, at);
    put(out + MAGIC_SIZE, sw_crc32c(0, out + SUMMED_AT, size - SUMMED_AT), 4);
}

size_t sw_record_read(struct sw_bytes bytes, struct sw_record *ret_record)
{
    const uint8_t *data = bytes.data;
    if (bytes.size < SW_RECORD_HEAD_BYTES || memcmp(data, MAGIC, MAGIC_SIZE) != 0) {
        return 0;
    }
    size_t size = (size_t)get(data + 8, 4);
    size_t id_size = (size_t)get(data + 14, 2);
    size_t client = (size_t)get(data + 28, 4);
    if (size > bytes.size || size < SW_RECORD_HEAD_BYTES + id_size
        || size - SW_RECORD_HEAD_BYTES - id_size < client || id_size > SW_RECORD_ID_MAX
        || data[12] != SW_RECORD_VERSION || data[13] >= SW_SIGNALS_COUNT
        || sw_crc32c(0, data + SUMMED_AT, size - SUMMED_AT) != get(data + MAGIC_SIZE, 4)) {
        return 0;
    }
    const uint8_t *rest = data + SW_RECORD_HEAD_BYTES;
    size_t rest_size = size - SW_RECORD_HEAD_BYTES;
    *ret_record = (struct sw_record){
        .signal = (enum sw_signal)data[13],
        .seq = get(data + 16, 8),
        .items_count = (uint32_t)get(data + 24, 4),
        .accepted_wall_ns = get(data + 32, 8),
        .exporter = {rest, id_size},
        .client = {rest + id_size, client},
        .request = {rest + id_size + client, rest_size - id_size - client},
    };
    return size;
}

void sw_record_measure(struct sw_bytes record, struct sw_record_measure *ret_measure)
{
    *ret_measure = (struct sw_record_measure){.record_bytes = record.size};
    if (record.size >= SW_RECORD_HEAD_BYTES) {
        uint64_t around =
            SW_RECORD_HEAD_BYTES + get(record.data + 14, 2) + get(record.data + 28, 4);
        ret_measure->request_bytes = record.size - SW_MIN(around, (uint64_t)record.size);
        ret_measure->items_count = (uint32_t)get(record.data + 24, 4);
    }
}

bool sw_record_find(struct sw_bytes bytes, size_t *at, struct sw_record *ret_record)
{
    while (*at < bytes.size) {
        const uint8_t *from = bytes.data + *at;
        const uint8_t *found = memmem(from, bytes.size - *at, MAGIC, MAGIC_SIZE);
        if (found == NULL) {
            break;
        }
        size_t begin = (size_t)(found - bytes.data);
        struct sw_bytes rest = {found, bytes.size - begin};
        size_t size = sw_record_read(rest, ret_record);
        if (size > 0) {
            *at = begin + size;
            return true;
        }
        *at = begin + 1;
    }
    *at = bytes.size;
    return false;
}
