/* What the tests of the codecs share: a codec with its account, bodies byte by byte, both ways. */
#ifndef TESTS_L7_HTTP_CODEC_BED_H
#define TESTS_L7_HTTP_CODEC_BED_H

#include "dataplane/l7_http/codec.h"

struct codec_bed {
    struct sw_account account;
    struct sw_codec *codec;
};

/** For cmocka: *state is the bed; the teardown fails when something is still charged. */
int codec_bed_setup(void **state);
int codec_bed_teardown(void **state);

/** A body that is put together. */
struct codec_body {
    uint8_t data[1 << 20];
    size_t size;
};

void codec_body_put(struct codec_body *body, const void *data, size_t size);
#define CODEC_BODY_PUT(body, literal) codec_body_put((body), (literal), sizeof(literal) - 1)

/** The body is opened from a copy of exactly its size, so that a sanitizer sees what is read behind it. */
int codec_bed_open(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    size_t limit,
    struct sw_buf **ret_buf,
    const char **ret_why
);

/** It opens to that. */
void codec_bed_expect(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    const void *plain,
    size_t size
);

/** It is malformed, and for that reason. */
void codec_bed_expect_why(
    struct codec_bed *bed,
    enum sw_coding coding,
    const struct codec_body *body,
    const char *why
);

/** Packs in pieces of that size. */
struct sw_buf *codec_bed_pack(
    struct codec_bed *bed,
    enum sw_coding coding,
    int level,
    const uint8_t *data,
    size_t size,
    size_t most
);

#endif
