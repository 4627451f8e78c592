/* Batches as lists of ranges: merged, shared, detached and cut, they still say the same. */
#include "dataplane/otlp/batch.h"

#include "dataplane/base/mem.h"
#include "dataplane/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a request says, as one text: "resource/scope:span " for each span, in order. */
struct reading {
    char text[65536];
    size_t len;
    uint32_t spans;
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take(struct cursor *cursor, uint8_t *tag, struct cursor *content)
{
    if (cursor->at == cursor->end) {
        return false;
    }
    *tag = *cursor->at++;
    uint32_t len = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(cursor->at < cursor->end);
        uint8_t byte = *cursor->at++;
        len |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    assert_true(len <= (size_t)(cursor->end - cursor->at));
    *content = (struct cursor){cursor->at, cursor->at + len};
    cursor->at += len;
    return true;
}

static void say(struct reading *reading, const char *text, size_t len)
{
    if (len > 0) {
        memcpy(reading->text + reading->len, text, len);
        reading->len += len;
    }
}

// The content of the first field with this tag, wherever it stands.
static struct cursor find(struct cursor in, uint8_t wanted)
{
    uint8_t tag;
    struct cursor content;
    while (take(&in, &tag, &content)) {
        if (tag == wanted) {
            return content;
        }
    }
    return (struct cursor){NULL, NULL};
}

static void read_request(struct reading *reading, const uint8_t *data, size_t size)
{
    struct cursor request = {data, data + size};
    struct cursor resource_spans;
    struct cursor scope_spans;
    struct cursor span;
    uint8_t tag;
    while (take(&request, &tag, &resource_spans)) {
        struct cursor resource = find(resource_spans, 0x0a);
        struct cursor url = find(resource_spans, 0x1a);
        while (take(&resource_spans, &tag, &scope_spans)) {
            if (tag != 0x12) {
                continue;
            }
            struct cursor scope = find(scope_spans, 0x0a);
            while (take(&scope_spans, &tag, &span)) {
                if (tag == 0x12) {
                    say(reading, (const char *)resource.at, (size_t)(resource.end - resource.at));
                    say(reading, (const char *)url.at, (size_t)(url.end - url.at));
                    say(reading, (const char *)scope.at, (size_t)(scope.end - scope.at));
                    say(reading, (const char *)span.at, (size_t)(span.end - span.at));
                    say(reading, " ", 1);
                    reading->spans++;
                }
            }
        }
    }
}

static void read_batch(struct reading *reading, const struct sw_batch *batch)
{
    uint8_t *flat = malloc(batch->bytes + 1);
    sw_batch_copy_out(batch, flat);
    uint32_t before = reading->spans;
    read_request(reading, flat, batch->bytes);
    assert_int_equal(reading->spans - before, batch->items_count);
    free(flat);
}

struct out {
    uint8_t data[32768];
    size_t len;
};

static void put(struct out *out, uint8_t tag, const void *data, size_t len)
{
    out->data[out->len++] = tag;
    if (len >= 0x80) {
        out->data[out->len++] = (uint8_t)(len | 0x80);
        assert_true(len >> 7 < 0x80);
        out->data[out->len++] = (uint8_t)(len >> 7);
    } else {
        out->data[out->len++] = (uint8_t)len;
    }
    memcpy(out->data + out->len, data, len);
    out->len += len;
}

static unsigned serial;

static void put_scope(struct out *out, struct sw_rand *rand, uint32_t *spans)
{
    struct out scope = {.len = 0};
    char name[16];
    bool first = sw_rand_below(rand, 2) == 0;
    snprintf(name, sizeof(name), "s%u:", serial++);
    if (first) {
        put(&scope, 0x0a, name, strlen(name));
    }
    uint32_t count = (uint32_t)sw_rand_below(rand, 4);
    for (uint32_t i = 0; i < count; i++) {
        char span[64];
        snprintf(
            span,
            sizeof(span),
            "x%u%.*s",
            serial++,
            (int)sw_rand_below(rand, 40),
            "................................................"
        );
        put(&scope, 0x12, span, strlen(span));
        if (sw_rand_below(rand, 8) == 0) {
            put(&scope, 0x1a, "url", 3); // a field between spans
        }
    }
    if (!first) {
        put(&scope, 0x0a, name, strlen(name)); // reversed order, as newer Collectors write
    }
    *spans += count;
    put(out, 0x12, scope.data, scope.len);
}

static void put_resource(struct out *out, struct sw_rand *rand, uint32_t *spans, bool content_only)
{
    struct out resource = {.len = 0};
    char name[16];
    bool first = sw_rand_below(rand, 2) == 0;
    snprintf(name, sizeof(name), "R%u/", serial++);
    if (first) {
        put(&resource, 0x0a, name, strlen(name));
    } else {
        put(&resource, 0x1a, "U", 1);
    }
    for (uint64_t scopes = sw_rand_below(rand, 4); scopes > 0; scopes--) {
        put_scope(&resource, rand, spans);
    }
    if (!first) {
        put(&resource, 0x0a, name, strlen(name));
    }
    if (content_only) {
        memcpy(out->data + out->len, resource.data, resource.len);
        out->len += resource.len;
    } else {
        put(out, 0x0a, resource.data, resource.len);
    }
}

// A batch of raw and of built parts.
static struct sw_batch *random_batch(struct sw_rand *rand, struct sw_account *account)
{
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    unsigned parts = 1 + (unsigned)sw_rand_below(rand, 4);
    for (unsigned i = 0; i < parts; i++) {
        struct out out = {.len = 0};
        uint32_t spans = 0;
        bool built = sw_rand_below(rand, 2) == 0;
        for (unsigned k = built ? 1 : 1 + (unsigned)sw_rand_below(rand, 3); k > 0; k--) {
            put_resource(&out, rand, &spans, built);
        }
        struct sw_buf *buf = sw_buf_copy(account, out.data, (uint32_t)out.len);
        if (built) {
            assert_int_equal(sw_batch_begin_part(batch), 0);
            assert_int_equal(sw_batch_add_piece(batch, buf, buf->data, buf->size), 0);
            sw_batch_end_part(batch, spans);
        } else {
            assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, spans), 0);
        }
        sw_buf_unref(buf);
    }
    return batch;
}

static void test_cut_anywhere_both_sides_together_say_the_same(void **state)
{
    static struct reading whole;
    static struct reading halves;
    struct sw_rand rand;
    sw_rand_init(&rand, 42);
    for (unsigned round = 0; round < 400; round++) {
        struct sw_account account = {0};
        struct sw_batch *batch = random_batch(&rand, &account);
        whole.len = whole.spans = 0;
        read_batch(&whole, batch);
        if (batch->items_count < 2) {
            sw_batch_free(batch);
            continue;
        }
        uint32_t at = 1 + (uint32_t)sw_rand_below(&rand, batch->items_count - 1);
        struct sw_batch *first;
        assert_int_equal(sw_batch_split(batch, at, &account, &first), 0);
        halves.len = halves.spans = 0;
        read_batch(&halves, first);
        assert_int_equal(halves.spans, at);
        read_batch(&halves, batch);
        assert_int_equal(halves.len, whole.len);
        assert_memory_equal(halves.text, whole.text, whole.len);
        sw_batch_free(first);
        sw_batch_free(batch);
        assert_int_equal(sw_account_charged(&account), 0);
    }
}

static void test_cut_again_and_again_all_sides_together_say_the_same(void **state)
{
    static struct reading whole;
    static struct reading slices;
    struct sw_rand rand;
    sw_rand_init(&rand, 43);
    for (unsigned round = 0; round < 200; round++) {
        struct sw_account account = {0};
        struct sw_batch *batch = random_batch(&rand, &account);
        whole.len = whole.spans = 0;
        read_batch(&whole, batch);
        uint32_t most = 1 + (uint32_t)sw_rand_below(&rand, 4);
        slices.len = slices.spans = 0;
        while (batch->items_count > most) {
            struct sw_batch *first;
            assert_int_equal(sw_batch_split(batch, most, &account, &first), 0);
            assert_int_equal(first->items_count, most);
            read_batch(&slices, first);
            sw_batch_free(first);
        }
        read_batch(&slices, batch);
        assert_int_equal(slices.len, whole.len);
        assert_memory_equal(slices.text, whole.text, whole.len);
        sw_batch_free(batch);
        assert_int_equal(sw_account_charged(&account), 0);
    }
}

static void test_failing_allocation_leaves_the_batch_whole(void **state)
{
    static struct reading whole;
    static struct reading after;
    struct sw_rand rand;
    for (unsigned round = 0; round < 40; round++) {
        struct sw_account account = {0};
        int err = SW_E_NOMEM;
        for (uint64_t nth = 1; err != SW_OK; nth++) {
            sw_rand_init(&rand, 1000 + round);
            serial = 0;
            struct sw_batch *batch = random_batch(&rand, &account);
            struct sw_batch *first = NULL;
            if (batch->items_count < 2) {
                sw_batch_free(batch);
                break;
            }
            whole.len = whole.spans = 0;
            read_batch(&whole, batch);
            sw_mem_fail_at(nth, 0);
            err = sw_batch_split(batch, batch->items_count / 2, &account, &first);
            sw_mem_fail_at(0, 0);
            if (err != SW_OK) {
                assert_null(first);
                after.len = after.spans = 0;
                read_batch(&after, batch);
                assert_memory_equal(after.text, whole.text, whole.len);
            }
            sw_batch_free(first);
            sw_batch_free(batch);
            assert_int_equal(sw_account_charged(&account), 0);
        }
    }
}

static void test_merge_share_detach_and_cursor_agree(void **state)
{
    static struct reading expected;
    static struct reading got;
    struct sw_rand rand;
    sw_rand_init(&rand, 3);
    for (unsigned round = 0; round < 100; round++) {
        struct sw_account account = {0};
        struct sw_batch *one = random_batch(&rand, &account);
        struct sw_batch *two = random_batch(&rand, &account);
        expected.len = expected.spans = 0;
        read_batch(&expected, one);
        read_batch(&expected, two);
        one->arrived_ns = 20;
        two->arrived_ns = 10;
        if (one->items_count > 0) {
            assert_int_equal(sw_batch_merge(one, two), 0);
            assert_int_equal(one->arrived_ns, 10);
        } else {
            assert_int_equal(sw_batch_merge(one, two), 0);
        }
        struct sw_batch *shared = sw_batch_share(one);
        struct sw_batch *own = sw_batch_detach(one, &account);
        uint8_t *flat = malloc(one->bytes + 1);
        size_t len = 0;
        struct sw_batch_cursor cursor;
        struct sw_piece piece;
        sw_batch_cursor_init(&cursor, shared);
        while (sw_batch_cursor_next(&cursor, 7, &piece)) {
            assert_in_range(piece.len, 1, 7);
            memcpy(flat + len, piece.data, piece.len);
            len += piece.len;
        }
        assert_int_equal(len, one->bytes);
        got.len = got.spans = 0;
        read_request(&got, flat, len);
        assert_int_equal(got.len, expected.len);
        assert_memory_equal(got.text, expected.text, got.len);
        sw_batch_free(one);
        sw_batch_free(shared);
        got.len = got.spans = 0;
        read_batch(&got, own);
        assert_memory_equal(got.text, expected.text, got.len);
        assert_int_equal(own->pieces_count, 1);
        sw_batch_free(own);
        free(flat);
        assert_int_equal(sw_account_charged(&account), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere_both_sides_together_say_the_same),
        cmocka_unit_test(test_cut_again_and_again_all_sides_together_say_the_same),
        cmocka_unit_test(test_failing_allocation_leaves_the_batch_whole),
        cmocka_unit_test(test_merge_share_detach_and_cursor_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
