/* LZ4 frames, as pierrec/lz4 reads them and words the rest. */
#include <lz4frame.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec_bed.h"

// The header's last byte checks the two before it; a block with its highest bit set is plain.
#define FRAME     "\x04\x22\x4d\x18\x60\x40\x82\5\0\0\x80hello\0\0\0\0"
#define SKIPPABLE "\x53\x2a\x4d\x18\3\0\0\0abc"

static struct codec_body body;

static void set(const void *data, size_t size)
{
    body.size = 0;
    codec_body_put(&body, data, size);
}
#define SET(literal) set((literal), sizeof(literal) - 1)

static void test_frame_is_opened(void **state)
{
    SET(FRAME);
    codec_bed_expect(*state, SW_CODING_LZ4, &body, "hello", 5);
    SET(SKIPPABLE SKIPPABLE FRAME "what follows is ignored");
    codec_bed_expect(*state, SW_CODING_LZ4, &body, "hello", 5);
    SET("");
    codec_bed_expect(*state, SW_CODING_LZ4, &body, "", 0);
}

static void test_what_is_no_lz4_is_told_so(void **state)
{
    SET("hello");
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "lz4: bad magic number");
    SET("\x04\x22\x4d\x18\x60\x40\x83\5\0\0\x80hello\0\0\0\0");
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "lz4: invalid header checksum");
}

static void test_cut_frame_ends_unexpectedly(void **state)
{
    for (size_t size = 1; size < sizeof(FRAME) - 1; size++) {
        set(FRAME, size);
        codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "unexpected EOF");
    }
    for (size_t size = 1; size < sizeof(SKIPPABLE) - 1; size++) {
        set(SKIPPABLE, size);
        codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "unexpected EOF");
    }
}

static void pack(const void *data, size_t size, LZ4F_frameInfo_t info)
{
    const LZ4F_preferences_t preferences = {.frameInfo = info};
    body.size = LZ4F_compressFrame(body.data, sizeof(body.data), data, size, &preferences);
    assert_false(LZ4F_isError(body.size));
}

static void test_wrong_checksums_are_told(void **state)
{
    pack("hello", 5, (LZ4F_frameInfo_t){.contentChecksumFlag = LZ4F_contentChecksumEnabled});
    body.data[body.size - 1] ^= 1;
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "lz4: invalid frame checksum");
    pack("hello", 5, (LZ4F_frameInfo_t){.blockChecksumFlag = LZ4F_blockChecksumEnabled});
    codec_bed_expect(*state, SW_CODING_LZ4, &body, "hello", 5);
    body.data[body.size - 5] ^= 1;
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "lz4: invalid block checksum");
}

static void test_corrupt_block_is_told(void **state)
{
    SET("\x04\x22\x4d\x18\x60\x40\x82\3\0\0\0\x10h\xff\0\0\0\0"); // refers to what is not there
    codec_bed_expect_why(
        *state, SW_CODING_LZ4, &body, "lz4: invalid source or destination buffer too short"
    );
}

// Each block refers to the one before; the room grows several times on the way.
static void test_linked_blocks_of_every_size_open_in_grown_rooms(void **state)
{
    size_t size = 700000;
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(i < 40000 ? i * i >> 5 : data[i - 40000]);
    }
    for (LZ4F_blockSizeID_t id = LZ4F_max64KB; id <= LZ4F_max4MB; id++) {
        for (unsigned linked = 0; linked < 2; linked++) {
            pack(
                data,
                size,
                (LZ4F_frameInfo_t){
                    .blockSizeID = id,
                    .blockMode = linked == 1 ? LZ4F_blockLinked : LZ4F_blockIndependent,
                    .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                }
            );
            codec_bed_expect(*state, SW_CODING_LZ4, &body, data, size);
        }
    }
    free(data);
}

// The library forgets to forget the size that the first one promises.
static void test_broken_frame_does_not_spoil_the_next_message(void **state)
{
    pack("hello", 5, (LZ4F_frameInfo_t){.contentSize = 5});
    body.size -= 4;
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "unexpected EOF");
    body.size -= 5;
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "unexpected EOF");
    SET(FRAME);
    codec_bed_expect(*state, SW_CODING_LZ4, &body, "hello", 5);
}

static void test_what_we_pack_has_a_checksum(void **state)
{
    struct sw_buf *buf =
        codec_bed_pack(*state, SW_CODING_LZ4, 0, (const uint8_t *)"hello", 5, SIZE_MAX);
    set(buf->data, buf->size);
    sw_buf_unref(buf);
    body.data[body.size - 1] ^= 1;
    codec_bed_expect_why(*state, SW_CODING_LZ4, &body, "lz4: invalid frame checksum");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_is_opened),
        cmocka_unit_test(test_what_is_no_lz4_is_told_so),
        cmocka_unit_test(test_cut_frame_ends_unexpectedly),
        cmocka_unit_test(test_wrong_checksums_are_told),
        cmocka_unit_test(test_corrupt_block_is_told),
        cmocka_unit_test(test_linked_blocks_of_every_size_open_in_grown_rooms),
        cmocka_unit_test(test_broken_frame_does_not_spoil_the_next_message),
        cmocka_unit_test(test_what_we_pack_has_a_checksum),
    };
    return cmocka_run_group_tests(tests, codec_bed_setup, codec_bed_teardown);
}
