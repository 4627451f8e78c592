/* Records over any bytes: what is read lies within them, and the search goes on until it ends. The first byte
 * chooses whether magic, size, version and sum are made right, which nobody would guess. */
#include "storage/journal/record.h"

#include "dataplane/base/crc32c.h"
#include "dataplane/base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void require_within(struct sw_bytes part, struct sw_bytes whole)
{
    require(part.data >= whole.data && part.size <= whole.size);
    require((size_t)(part.data - whole.data) <= whole.size - part.size);
}

static void look_at(const struct sw_record *record, struct sw_bytes bytes)
{
    struct sw_client *client = NULL;
    require(record->signal < SW_SIGNALS_COUNT);
    require_within(record->exporter, bytes);
    require_within(record->client, bytes);
    require_within(record->request, bytes);
    int err = sw_record_client(record, NULL, &client);
    require(err == SW_OK || err == SW_E_MALFORMED);
    require(err == SW_OK || client == NULL);
    sw_client_unref(client);
}

static void make_right(uint8_t *data, size_t size)
{
    uint32_t whole = (uint32_t)size;
    memcpy(data, "SWR1", 4);
    memcpy(data + 8, &whole, sizeof(whole));
    data[12] = SW_RECORD_VERSION;
    uint32_t sum = sw_crc32c(0, data + 8, size - 8);
    memcpy(data + 4, &sum, sizeof(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint8_t *copy = sw_alloc(size - 1);
    require(copy != NULL);
    struct sw_bytes bytes = {copy, size - 1};
    memcpy(copy, data + 1, size - 1);
    if (data[0] % 2 == 1 && bytes.size >= SW_RECORD_HEAD_BYTES) {
        make_right(copy, bytes.size);
    }
    struct sw_record record;
    size_t read = sw_record_read(bytes, &record);
    require(read <= bytes.size);
    if (read > 0) {
        look_at(&record, bytes);
    }
    size_t at = 0;
    for (size_t last = 0; sw_record_find(bytes, &at, &record); last = at) {
        require(at >= last + SW_RECORD_HEAD_BYTES && at <= bytes.size);
        look_at(&record, bytes);
    }
    require(at == bytes.size);
    sw_free(copy);
    return 0;
}
