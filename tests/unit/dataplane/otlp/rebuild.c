#include "dataplane/otlp/rebuild.h"

#include "dataplane/otlp/client.h"
#include "dataplane/otlp/validate.h"
#include "tests/lib/bench.h"
#include "tests/lib/wire_signals.h"

/* Rewrites items as they are, or drops some. */
struct context {
    struct sw_account account;
    struct sw_rebuild rebuild;
    struct sw_bytes message;
    unsigned keep_every; // 1: all; 0: none
    unsigned seen;
    bool replace;
    size_t envelope_bytes;
};

static int item(void *opaque, const struct sw_rebuild_item *item, size_t *ret_size)
{
    struct context *context = opaque;
    unsigned number = context->seen++;
    context->envelope_bytes += item->resource.size + item->scope.size;
    if (context->keep_every == 0 || number % context->keep_every != 0) {
        return SW_REBUILD_DROP;
    }
    if (!context->replace) {
        return SW_REBUILD_KEEP;
    }
    context->message = item->message;
    *ret_size = item->message.size;
    return SW_REBUILD_REPLACE;
}

static uint8_t *write_message(void *opaque, uint8_t *out)
{
    struct context *context = opaque;
    if (context->message.size > 0) {
        memcpy(out, context->message.data, context->message.size);
    }
    return out + context->message.size;
}

static const struct sw_rebuild_ops ops = {.item = item, .write = write_message};
static const struct sw_rebuild_ops pruning_ops = {
    .envelopes = true,
    .prune = true,
    .item = item,
    .write = write_message,
};

static void open_context(struct context *context, const struct sw_rebuild_ops *rebuild_ops)
{
    memset(context, 0, sizeof(*context));
    context->keep_every = 1;
    context->rebuild = (struct sw_rebuild){
        .ops = rebuild_ops,
        .context = context,
        .account = &context->account,
    };
}

static void close_context(struct context *context)
{
    sw_rebuild_fini(&context->rebuild);
    assert_int_equal(sw_account_charged(&context->account), 0);
}

static uint32_t count_items(enum sw_signal signal, const uint8_t *data, size_t size)
{
    struct sw_otlp_counts counts;
    assert_int_equal(sw_otlp_validate(signal, data, size, &counts, NULL), 0);
    return counts.items;
}

// A random request without what the receiver would migrate first; NULL: it has such things.
static struct sw_batch *random_batch(
    struct context *context,
    enum sw_signal signal,
    struct wire *wire,
    struct sw_rand *rand
)
{
    struct sw_otlp_counts counts;
    wire_random_signal(wire, signal, rand);
    assert_int_equal(sw_otlp_validate(signal, wire->data, wire->size, &counts, NULL), 0);
    if (counts.migrate) {
        return NULL;
    }
    struct sw_buf *buf = sw_buf_copy(&context->account, wire->data, (uint32_t)wire->size);
    struct sw_batch *batch = sw_batch_new(signal);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, counts.items), 0);
    sw_buf_unref(buf);
    return batch;
}

static uint8_t *flat(const struct sw_batch *batch)
{
    uint8_t *data = malloc(batch->bytes + 1);
    sw_batch_copy_out(batch, data);
    return data;
}

static void same_bytes(const struct sw_batch *a, const struct sw_batch *b)
{
    uint8_t *x = flat(a);
    uint8_t *y = flat(b);
    assert_int_equal(a->bytes, b->bytes);
    assert_memory_equal(x, y, a->bytes);
    free(x);
    free(y);
}

static void test_what_is_written_again_unchanged_is_the_same(void **state)
{
    struct context context;
    struct wire wire = {.data = NULL};
    struct sw_rand rand;
    sw_rand_init(&rand, 1);
    open_context(&context, &ops);
    for (unsigned i = 0; i < 3000; i++) {
        enum sw_signal signal = i % SW_SIGNALS_COUNT;
        struct sw_batch *batch = random_batch(&context, signal, &wire, &rand);
        struct sw_batch *made = NULL;
        if (batch == NULL) {
            continue;
        }
        struct sw_client *client = sw_client_new(NULL, SW_BYTES("::1"), NULL, 0);
        batch->client = client;
        context.replace = i % 2 == 0;
        context.seen = 0;
        assert_int_equal(sw_rebuild_batch(&context.rebuild, batch, i % 7, &made), 0);
        assert_int_equal(context.seen, batch->items_count);
        assert_int_equal(made->items_count, batch->items_count);
        assert_ptr_equal(made->client, client);
        same_bytes(made, batch);
        sw_batch_free(made);
        sw_batch_free(batch);
    }
    wire_fini(&wire);
    close_context(&context);
}

// The parts of a cut batch lie in many pieces.
static void test_a_batch_in_pieces_is_read_as_one(void **state)
{
    struct context context;
    struct wire wire = {.data = NULL};
    struct sw_rand rand;
    sw_rand_init(&rand, 2);
    open_context(&context, &ops);
    context.replace = true;
    for (unsigned i = 0; i < 3000; i++) {
        enum sw_signal signal = i % SW_SIGNALS_COUNT;
        struct sw_batch *batch = random_batch(&context, signal, &wire, &rand);
        if (batch == NULL || batch->items_count < 2) {
            sw_batch_free(batch);
            continue;
        }
        struct sw_batch *first = NULL;
        struct sw_batch *made = NULL;
        uint32_t at = 1 + (uint32_t)sw_rand_below(&rand, batch->items_count - 1);
        assert_int_equal(sw_batch_split(batch, at, NULL, &first), 0);
        for (unsigned k = 0; k < 2; k++) {
            struct sw_batch *half = k == 0 ? first : batch;
            assert_int_equal(sw_rebuild_batch(&context.rebuild, half, 0, &made), 0);
            assert_int_equal(made->items_count, half->items_count);
            same_bytes(made, half);
            sw_batch_free(made);
        }
        sw_batch_free(first);
        sw_batch_free(batch);
    }
    wire_fini(&wire);
    close_context(&context);
}

static void test_dropped_items_leave_no_empty_envelopes(void **state)
{
    struct context context;
    struct wire wire = {.data = NULL};
    struct sw_rand rand;
    sw_rand_init(&rand, 3);
    open_context(&context, &pruning_ops);
    for (unsigned i = 0; i < 3000; i++) {
        enum sw_signal signal = i % SW_SIGNALS_COUNT;
        struct sw_batch *batch = random_batch(&context, signal, &wire, &rand);
        struct sw_batch *made = NULL;
        if (batch == NULL) {
            continue;
        }
        context.keep_every = i % 3;
        context.seen = 0;
        assert_int_equal(sw_rebuild_batch(&context.rebuild, batch, 0, &made), 0);
        uint8_t *data = flat(made);
        assert_int_equal(count_items(signal, data, made->bytes), made->items_count);
        if (context.keep_every == 0) {
            struct sw_otlp_iter resources;
            struct sw_pb_field field;
            sw_otlp_resources_init(&resources, (struct sw_bytes){data, made->bytes});
            assert_false(sw_otlp_next(&resources, &field));
            assert_int_equal(made->items_count, 0);
        } else {
            uint32_t every = context.keep_every;
            assert_int_equal(made->items_count, (batch->items_count + every - 1) / every);
        }
        free(data);
        sw_batch_free(made);
        sw_batch_free(batch);
    }
    assert_true(context.envelope_bytes > 0);
    wire_fini(&wire);
    close_context(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_again_unchanged_is_the_same),
        cmocka_unit_test(test_a_batch_in_pieces_is_read_as_one),
        cmocka_unit_test(test_dropped_items_leave_no_empty_envelopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
