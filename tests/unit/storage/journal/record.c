#include "storage/journal/record.h"

#include "dataplane/base/crc32c.h"
#include "tests/lib/bench.h"

#define ID "otlp/traces"

static uint8_t *record_of(const struct sw_batch *batch, uint64_t seq, size_t *ret_size)
{
    *ret_size = (size_t)sw_record_size(ID, batch);
    uint8_t *out = sw_alloc(*ret_size);
    assert_non_null(out);
    sw_record_write(ID, batch, seq, BENCH_WALL_NS, out);
    return out;
}

static struct sw_bytes text(const char *from)
{
    return (struct sw_bytes){(const uint8_t *)from, strlen(from)};
}

static void test_the_sum_is_crc_32c(void **state)
{
    assert_int_equal(sw_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sw_crc32c(sw_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(sw_crc32c(0, "", 0), 0);
}

static void test_what_is_written_is_read(void **state)
{
    struct sw_client_pair pairs[] = {{text("tenant"), text("a")}, {text("tenant"), text("")}};
    struct sw_batch *batch = bench_batch(3);
    batch->client = sw_client_new(NULL, text("192.0.2.1"), pairs, 2);
    size_t size;
    uint8_t *data = record_of(batch, 77, &size);
    struct sw_record record;
    assert_int_equal(sw_record_read((struct sw_bytes){data, size}, &record), size);
    assert_int_equal(record.signal, SW_TRACES);
    assert_int_equal(record.seq, 77);
    assert_int_equal(record.items_count, 3);
    assert_true(record.accepted_wall_ns == BENCH_WALL_NS);
    assert_true(sw_bytes_equal(record.exporter, text(ID)));
    assert_int_equal(record.request.size, batch->bytes);
    uint8_t *request = sw_alloc(batch->bytes);
    sw_batch_copy_out(batch, request);
    assert_memory_equal(record.request.data, request, batch->bytes);
    struct sw_client *client;
    assert_int_equal(sw_record_client(&record, NULL, &client), 0);
    assert_int_equal(client->pairs_count, 2);
    assert_true(sw_bytes_equal(client->address, text("192.0.2.1")));
    assert_true(sw_bytes_equal(client->pairs[0].value, text("a")));
    assert_int_equal(client->pairs[1].value.size, 0);
    sw_client_unref(client);
    sw_free(request);
    sw_free(data);
    sw_batch_free(batch);
}

static void test_nobody_in_particular_stays_so(void **state)
{
    struct sw_batch *batch = bench_batch(1);
    size_t size;
    uint8_t *data = record_of(batch, 1, &size);
    struct sw_record record;
    struct sw_client *client;
    assert_int_equal(sw_record_read((struct sw_bytes){data, size}, &record), size);
    assert_int_equal(sw_record_client(&record, NULL, &client), 0);
    assert_null(client);
    sw_free(data);
    sw_batch_free(batch);
}

static void test_no_flipped_bit_and_no_cut_is_taken(void **state)
{
    struct sw_batch *batch = bench_batch(2);
    size_t size;
    uint8_t *data = record_of(batch, 1, &size);
    struct sw_record record;
    for (size_t bit = 0; bit < size * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(sw_record_read((struct sw_bytes){data, size}, &record), 0);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(sw_record_read((struct sw_bytes){data, cut}, &record), 0);
    }
    sw_free(data);
    sw_batch_free(batch);
}

static void test_records_are_found_among_anything(void **state)
{
    static uint8_t file[64 * 1024];
    struct sw_batch *batch = bench_batch(2);
    size_t size;
    uint8_t *data = record_of(batch, 5, &size);
    memset(file, 'S', sizeof(file));
    memcpy(file + 7, "SWR1SWR1", 8);
    memcpy(file + 100, data, size);
    memcpy(file + 5000, data, size);
    file[5000 + size / 2] ^= 1;
    memcpy(file + sizeof(file) - size, data, size);
    struct sw_record record;
    size_t at = 0;
    struct sw_bytes bytes = {file, sizeof(file)};
    assert_true(sw_record_find(bytes, &at, &record));
    assert_int_equal(at, 100 + size);
    assert_true(sw_record_find(bytes, &at, &record));
    assert_int_equal(at, sizeof(file));
    assert_int_equal(record.seq, 5);
    assert_false(sw_record_find(bytes, &at, &record));
    sw_free(data);
    sw_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sum_is_crc_32c),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_nobody_in_particular_stays_so),
        cmocka_unit_test(test_no_flipped_bit_and_no_cut_is_taken),
        cmocka_unit_test(test_records_are_found_among_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
