/* Bodies of one coding, FUZZ_CODING: never more than the limit comes out, every refusal is explained, and
 * what came out packs and opens again. The first two bytes are the limit, in units of 16 bytes. */
#include "dataplane/l7_http/codec.h"

#include <stdlib.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ranges {
    const struct sw_buf *buf;
    uint32_t at;
    uint32_t most;
};

static bool next_range(void *ctx, struct sw_piece *ret_piece)
{
    struct ranges *ranges = ctx;
    uint32_t len = SW_MIN(ranges->most, ranges->buf->size - ranges->at);
    *ret_piece = (struct sw_piece){NULL, ranges->buf->data + ranges->at, len};
    ranges->at += len;
    return len > 0;
}

static void there_and_back(
    struct sw_codec *codec,
    int level,
    const struct sw_buf *plain,
    struct sw_account *account
)
{
    struct ranges ranges = {plain, 0, 1 + plain->size / 3};
    struct sw_buf *packed = NULL;
    struct sw_buf *again = NULL;
    const char *why = NULL;
    int err = sw_codec_pack(
        codec, FUZZ_CODING, level, next_range, &ranges, plain->size, account, &packed
    );
    CHECK(err == SW_OK);
    err = sw_codec_open(
        codec, FUZZ_CODING, packed->data, packed->size, plain->size, account, &again, &why, NULL
    );
    CHECK(err == SW_OK && again->size == plain->size);
    CHECK(memcmp(again->data, plain->data, plain->size) == 0);
    sw_buf_unref(packed);
    sw_buf_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sw_codec *codec;
    if (size < 2 || (codec == NULL && sw_codec_new(&codec) != SW_OK)) {
        return 0;
    }
    struct sw_account account = {0};
    size_t limit = ((size_t)data[0] << 8 | data[1]) * 16;
    struct sw_buf *buf = NULL;
    const char *why = NULL;
    bool at_header = false;
    int err = sw_codec_open(
        codec, FUZZ_CODING, data + 2, size - 2, limit, &account, &buf, &why, &at_header
    );
    if (err == SW_OK) {
        CHECK(buf->size <= limit && buf->capacity <= limit);
        there_and_back(codec, data[1] % 12 - 2, buf, &account);
        sw_buf_unref(buf);
    } else {
        CHECK(buf == NULL);
        CHECK(err == SW_E_TOO_LARGE || (err == SW_E_MALFORMED && why != NULL));
    }
    CHECK(sw_account_charged(&account) == 0);
    return 0;
}
