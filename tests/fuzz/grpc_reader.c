/* A gRPC message in pieces: the same as in one, within its limit, and the budget comes out even. The
 * first two bytes are the limit, the third cuts the rest. Timeouts are read from the same bytes. */
#include "dataplane/l7_http/grpc.h"

#include <stdlib.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sw_buf *read_message(
    const uint8_t *data,
    size_t size,
    uint32_t limit,
    size_t piece,
    struct sw_http_budget *budget,
    int *ret_err
)
{
    struct sw_grpc_reader reader;
    struct sw_buf *buf = NULL;
    sw_grpc_reader_init(&reader, limit, budget->account, budget);
    *ret_err = SW_OK;
    while (size > 0 && *ret_err == SW_OK) {
        size_t len = piece < size ? piece : size;
        *ret_err = sw_grpc_reader_feed(&reader, data, len);
        data += len;
        size -= len;
    }
    CHECK(*ret_err == SW_OK || !reader.done);
    CHECK(reader.buf == NULL || reader.buf->capacity <= limit);
    if (reader.done) {
        CHECK(reader.prefix[0] <= 1);
        buf = sw_grpc_reader_take(&reader);
        CHECK(buf->size == reader.length);
    }
    sw_grpc_reader_fini(&reader);
    CHECK(budget->used_bytes == 0);
    return buf;
}

static void read_timeout(const uint8_t *data, size_t size)
{
    struct sw_http_text text = {(const char *)data, size};
    const char *why = NULL;
    uint64_t ns = 0;
    uint64_t again = 0;
    char out[16];
    if (sw_grpc_timeout_parse(text, &ns, &why) != SW_OK) {
        CHECK(why != NULL);
        return;
    }
    text = (struct sw_http_text){out, sw_grpc_timeout_format(ns, out)};
    CHECK(sw_grpc_timeout_parse(text, &again, &why) == SW_OK && again >= ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct sw_account account = {0};
    struct sw_http_budget budget = {.limit_bytes = 40000, .account = &account};
    uint32_t limit = (uint32_t)data[0] << 8 | data[1];
    int err = SW_OK;
    int other_err = SW_OK;
    struct sw_buf *whole = read_message(data + 3, size - 3, limit, SIZE_MAX, &budget, &err);
    struct sw_buf *parts =
        read_message(data + 3, size - 3, limit, 1 + data[2] % 16, &budget, &other_err);
    CHECK(err == other_err && (whole == NULL) == (parts == NULL));
    if (whole != NULL) {
        CHECK(whole->size == parts->size && memcmp(whole->data, parts->data, whole->size) == 0);
    }
    sw_buf_unref(whole);
    sw_buf_unref(parts);
    CHECK(sw_account_charged(&account) == 0);
    read_timeout(data, size);
    return 0;
}
