/* Routing keys against the vectors of the reference, which are the Collector's own. */
#include "dataplane/balance/balance_internal.h"
#include "tests/lib/bench.h"
#include "tests/lib/wire.h"

static struct wire wire;

static struct sw_bytes written(void)
{
    return (struct sw_bytes){wire.data, wire.size};
}

static int teardown(void **state)
{
    wire_fini(&wire);
    return 0;
}

static void expect_resource(const char *text)
{
    struct key key = {.data = NULL};
    struct key scratch = {.data = NULL};
    struct identity identity;
    sw_identity_begin(&identity);
    int err = sw_identity_add_attributes(&identity, &scratch, written(), SW_RESOURCE_ATTRIBUTES);
    assert_int_equal(err, 0);
    sw_key_set_identity(&key, "resource/", &identity);
    assert_int_equal(key.size, strlen(text));
    assert_memory_equal(key.data, text, key.size);
    sw_key_fini(&key);
    sw_key_fini(&scratch);
}

static void test_resources_have_the_collectors_hashes(void **state)
{
    wire_clear(&wire);
    expect_resource("resource/88201fb960ff6465");
    wire_attribute(&wire, 1, "service.name", "checkout");
    expect_resource("resource/9d126046fdb6c015");
    wire_clear(&wire);
    wire_attribute(&wire, 1, "resource_key", "foo");
    expect_resource("resource/99d9e3f8e25dd8f6");
    wire_clear(&wire);
    wire_attribute(&wire, 1, "resource_key", "bar");
    expect_resource("resource/561be85f9d0f9beb");
}

static uint64_t hash_of_written(void)
{
    struct key scratch = {.data = NULL};
    struct identity identity;
    sw_identity_begin(&identity);
    int err = sw_identity_add_attributes(&identity, &scratch, written(), SW_RESOURCE_ATTRIBUTES);
    assert_int_equal(err, 0);
    sw_key_fini(&scratch);
    return identity.hash;
}

static void test_the_order_of_attributes_makes_no_difference(void **state)
{
    static const char *const names[] = {"a", "ab", "b", "service.name"};
    uint64_t hashes[2];
    for (unsigned i = 0; i < 2; i++) {
        wire_clear(&wire);
        for (unsigned k = 0; k < SW_ARRAY_SIZE(names); k++) {
            const char *name = names[i == 0 ? k : SW_ARRAY_SIZE(names) - 1 - k];
            wire_attribute(&wire, 1, name, name);
        }
        hashes[i] = hash_of_written();
    }
    assert_true(hashes[0] == hashes[1]);
}

static void value(uint32_t field, void (*put)(void))
{
    wire_begin(&wire, field);
    wire_text(&wire, 1, "k");
    wire_begin(&wire, 2);
    put();
    wire_end(&wire);
    wire_end(&wire);
}

static void put_text(void)
{
    wire_text(&wire, 1, "1");
}

static void put_bytes(void)
{
    wire_text(&wire, 7, "1");
}

static void put_true(void)
{
    wire_number(&wire, 2, 1);
}

static void put_false(void)
{
    wire_number(&wire, 2, 0);
}

static void put_int(void)
{
    wire_number(&wire, 3, 1);
}

static void put_double(void)
{
    wire_i64(&wire, 4, UINT64_C(0x3ff0000000000000));
}

static void put_list(void)
{
    wire_begin(&wire, 5);
    wire_begin(&wire, 1);
    put_int();
    wire_end(&wire);
    wire_end(&wire);
}

static void put_map(void)
{
    wire_begin(&wire, 6);
    value(1, put_list);
    wire_end(&wire);
}

static void put_nothing(void) {}

static void test_each_type_of_value_is_hashed_as_its_own(void **state)
{
    static void (*const puts[])(void) = {
        put_text,
        put_bytes,
        put_true,
        put_false,
        put_int,
        put_double,
        put_list,
        put_map,
        put_nothing};
    uint64_t hashes[SW_ARRAY_SIZE(puts)];
    for (unsigned i = 0; i < SW_ARRAY_SIZE(puts); i++) {
        wire_clear(&wire);
        value(1, puts[i]);
        hashes[i] = hash_of_written();
        for (unsigned k = 0; k < i; k++) {
            assert_true(hashes[i] != hashes[k]);
        }
    }
}

static void expect_named(void (*put)(void), const char *text)
{
    struct key key = {.data = NULL};
    struct sw_any any = {.type = SW_ANY_EMPTY};
    wire_clear(&wire);
    put();
    assert_true(sw_any_read(written(), &any));
    sw_key_put_named(&key, "k", &any);
    assert_false(key.failed);
    assert_int_equal(key.size, strlen(text));
    assert_memory_equal(key.data, text, key.size);
    sw_key_fini(&key);
}

static void test_values_stand_in_the_key_as_text(void **state)
{
    struct key key = {.data = NULL};
    expect_named(put_text, "k=1|");
    expect_named(put_bytes, "k=MQ==|");
    expect_named(put_true, "k=true|");
    expect_named(put_false, "k=false|");
    expect_named(put_int, "k=1|");
    expect_named(put_double, "k=1|");
    expect_named(put_list, "k=[1]|");
    expect_named(put_map, "k={\"k\":[1]}|");
    expect_named(put_nothing, "k=|");
    sw_key_put_named(&key, "service.name", NULL);
    assert_int_equal(key.size, 14);
    assert_memory_equal(key.data, "service.name=|", 14);
    sw_key_fini(&key);
}

static struct sw_ring *three(enum sw_ring_generation generation)
{
    static const char *const endpoints[] = {"10.0.0.1:4317", "10.0.0.2:4317", "10.0.0.3:4317"};
    struct sw_ring *ring = NULL;
    assert_int_equal(sw_ring_new(generation, endpoints, 3, &ring), 0);
    return ring;
}

static void test_text_keys_have_the_references_owners(void **state)
{
    static const struct {
        const char *key;
        uint32_t old_position, new_position;
        unsigned owners[3];
    } cases[] = {
        {"checkout", 6414, 34026, {2, 2, 1}},
        {"service.name=checkout|", 31453, 80009, {3, 3, 3}},
        {"service.name=|", 2465, 102463, {2, 1, 3}},
        {"", 0, 0, {1, 2, 1}},
    };
    for (unsigned generation = SW_RING_A; generation <= SW_RING_C; generation++) {
        struct sw_ring *ring = three((enum sw_ring_generation)generation);
        for (unsigned i = 0; i < SW_ARRAY_SIZE(cases); i++) {
            uint32_t position = sw_ring_position(ring, cases[i].key, strlen(cases[i].key));
            bool old = generation != SW_RING_C;
            assert_int_equal(position, old ? cases[i].old_position : cases[i].new_position);
            assert_int_equal(sw_ring_owner(ring, position) + 1, cases[i].owners[generation]);
        }
        sw_ring_free(ring);
    }
}

static void test_without_memory_a_key_says_so(void **state)
{
    wire_clear(&wire);
    value(1, put_map);
    bool whole = false;
    for (uint64_t nth = 1; !whole; nth++) {
        struct key scratch = {.data = NULL};
        struct identity identity;
        sw_identity_begin(&identity);
        sw_mem_fail_at(nth, 0);
        int err =
            sw_identity_add_attributes(&identity, &scratch, written(), SW_RESOURCE_ATTRIBUTES);
        whole = sw_mem_fail_at(0, 0) < nth;
        assert_int_equal(err, whole ? SW_OK : SW_E_NOMEM);
        sw_key_fini(&scratch);
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources_have_the_collectors_hashes),
        cmocka_unit_test(test_the_order_of_attributes_makes_no_difference),
        cmocka_unit_test(test_each_type_of_value_is_hashed_as_its_own),
        cmocka_unit_test(test_values_stand_in_the_key_as_text),
        cmocka_unit_test(test_text_keys_have_the_references_owners),
        cmocka_unit_test(test_without_memory_a_key_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
