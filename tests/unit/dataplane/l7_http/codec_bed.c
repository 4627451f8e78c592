#include "codec_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT (1u << 20)

int codec_bed_setup(void **state)
{
    static struct codec_bed bed;
    memset(&bed, 0, sizeof(bed));
    *state = &bed;
    return sw_codec_new(&bed.codec);
}

int codec_bed_teardown(void **state)
{
    struct codec_bed *bed = *state;
    sw_codec_free(bed->codec);
    return (int)sw_account_charged(&bed->account);
}

void codec_body_put(struct codec_body *body, const void *data, size_t size)
{
    assert_true(body->size + size <= sizeof(body->data));
    memcpy(body->data + body->size, data, size);
    body->size += size;
}

int codec_bed_open(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    size_t limit,
    struct sw_buf **ret_buf,
    const char **ret_why
)
{
    uint8_t *copy = malloc(body->size > 0 ? body->size : 1);
    memcpy(copy, body->data, body->size);
    int err = sw_codec_open(
        bed->codec, coding, copy, body->size, limit, &bed->account, ret_buf, ret_why, NULL
    );
    free(copy);
    return err;
}

void codec_bed_expect(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    const void *plain,
    size_t size
)
{
    struct sw_buf *buf = NULL;
    const char *why = "";
    int err = codec_bed_open(bed, coding, body, LIMIT, &buf, &why);
    assert_string_equal(why, "");
    assert_int_equal(err, SW_OK);
    assert_int_equal(buf->size, size);
    assert_memory_equal(buf->data, plain, size);
    sw_buf_unref(buf);
}

void codec_bed_expect_why(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    const char *why
)
{
    struct sw_buf *buf = NULL;
    const char *got = "";
    int err = codec_bed_open(bed, coding, body, LIMIT, &buf, &got);
    assert_string_equal(got, why);
    assert_int_equal(err, SW_E_MALFORMED);
    assert_null(buf);
    assert_int_equal(sw_account_charged(&bed->account), 0);
}

struct ranges {
    const uint8_t *data;
    size_t size;
    size_t at;
    size_t most;
};

static bool next_range(void *ctx, struct sw_piece *ret_piece)
{
    struct ranges *ranges = ctx;
    size_t len = SW_MIN(ranges->most, ranges->size - ranges->at);
    *ret_piece = (struct sw_piece){NULL, ranges->data + ranges->at, (uint32_t)len};
    ranges->at += len;
    return len > 0;
}

struct sw_buf *codec_bed_pack(
    struct codec_bed *bed,
    enum sw_coding coding,
    int level,
    const uint8_t *data,
    size_t size,
    size_t most
)
{
    struct ranges ranges = {data, size, 0, most};
    struct sw_buf *buf = NULL;
    int err =
        sw_codec_pack(bed->codec, coding, level, next_range, &ranges, size, &bed->account, &buf);
    assert_true(err == SW_OK || err == SW_E_NOMEM);
    if (err == SW_OK) {
        assert_int_equal(ranges.at, size);
    }
    return buf;
}
