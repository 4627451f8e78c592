/* The three rings of the Collector against the reference's vectors. */
#include "dataplane/balance/ring.h"

#include "dataplane/l7_http/codec.h"
#include "tests/lib/bench.h"
#include "tests/unit/dataplane/balance/ring_digests.h"

static char texts[SW_RING_ENDPOINTS_MAX][24];
static const char *endpoints[SW_RING_ENDPOINTS_MAX];

static struct sw_ring *ring_of(enum sw_ring_generation generation, unsigned count)
{
    struct sw_ring *ring = NULL;
    for (unsigned i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "10.0.%u.%u:4317", i / 250, i % 250 + 1);
        endpoints[i] = texts[i];
    }
    sw_ring_sort(endpoints, count);
    assert_int_equal(sw_ring_new(generation, endpoints, count, &ring), 0);
    return ring;
}

static void test_1_to_50_endpoints_give_the_known_rings(void **state)
{
    for (unsigned generation = SW_RING_A; generation <= SW_RING_C; generation++) {
        for (unsigned count = 1; count <= 50; count++) {
            char digest[SW_RING_DIGEST_TEXT];
            struct sw_ring *ring = ring_of((enum sw_ring_generation)generation, count);
            assert_int_equal(sw_ring_digest(ring, endpoints, digest), 0);
            digest[16] = '\0';
            assert_string_equal(digest, digests[count - 1][generation]);
            sw_ring_free(ring);
        }
    }
}

static void test_the_references_digests_are_met(void **state)
{
    static const struct {
        enum sw_ring_generation generation;
        unsigned count;
        uint32_t size;
        const char *digest;
    } cases[] = {
        {SW_RING_A, 3, 297, "17d0b24abf8abb96486b4bba4a6dd93b642ed2d7fe067d899c1aaf8f630ddf00"},
        {SW_RING_B, 3, 300, "2bc6aeb2dc095c28bf99e4247be7739fc1c924c14eb6efbec04749a482b7ade3"},
        {SW_RING_C, 3, 600, "5e233e20885d7d2f3628077c6b1863a6d00c4ad6527c66c95e9611d7584c6fc1"},
        {SW_RING_A, 10, 985, "8fcb9b5fe5ce3f71c11650d5bc07e9266e553e28eb7996969f14b1634bc2f305"},
        {SW_RING_B, 10, 1000, "d8122b3b7ee2d9f05d94ef9ca66186f619fb3bd67d63c7314dd2b6e886e428c0"},
        {SW_RING_A, 30, 2872, "04b4f74f62c8b067d7909241650247f380c3f0540e8713cf3c56cac1b64a0491"},
        {SW_RING_B, 30, 3000, "b5f3027d6f3832436ca164005fc1a7ec3dd866316a2aa291028de1c3a60694b6"},
        {SW_RING_A, 100, 8730, "0309074876a701808799b8c33d4ee4651db5a4584545bcf80cce8d33009801bb"},
        {SW_RING_B, 100, 10000, "99354d4e1d4c71cffc1959c4af42c8ed99505ee29a1248fbcf6370ff842e83f4"},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        char digest[SW_RING_DIGEST_TEXT];
        struct sw_ring *ring = ring_of(cases[i].generation, cases[i].count);
        assert_int_equal(ring->points_count, cases[i].size);
        assert_int_equal(sw_ring_digest(ring, endpoints, digest), 0);
        assert_string_equal(digest, cases[i].digest);
        sw_ring_free(ring);
    }
}

static void test_keys_go_where_the_reference_says(void **state)
{
    // Owners with all three endpoints, generations A, B, C (reference, 7.2 and 7.4).
    static const struct {
        const char *key;
        const char *owners;
    } cases[] = {
        {"checkout", "221"},
        {"service.name=checkout|", "333"},
        {"service.name=|", "213"},
        {"", "121"},
    };
    static const uint8_t zero[16];
    static const uint8_t w3c[16] = {
        0x4b,
        0xf9,
        0x2f,
        0x35,
        0x77,
        0xb3,
        0x4d,
        0xa6,
        0xa3,
        0xce,
        0x92,
        0x9d,
        0x0e,
        0x0e,
        0x47,
        0x36};
    for (unsigned generation = SW_RING_A; generation <= SW_RING_C; generation++) {
        struct sw_ring *ring = ring_of((enum sw_ring_generation)generation, 3);
        for (size_t i = 0; i < SW_ARRAY_SIZE(cases); i++) {
            uint32_t position = sw_ring_position(ring, cases[i].key, strlen(cases[i].key));
            assert_int_equal(sw_ring_owner(ring, position) + '1', cases[i].owners[generation]);
        }
        assert_int_equal(sw_ring_owner(ring, sw_ring_position(ring, w3c, 16)) + 1, 3);
        static const unsigned of_zero[] = {2, 1, 3};
        assert_int_equal(
            sw_ring_owner(ring, sw_ring_position(ring, zero, 16)) + 1, of_zero[generation]
        );
        sw_ring_free(ring);
    }
}

static bool is_not(void *context, unsigned endpoint)
{
    return endpoint != *(unsigned *)context;
}

static bool is_none(void *context, unsigned endpoint)
{
    return false;
}

static void test_the_next_owner_is_the_one_of_the_ring_without_the_first(void **state)
{
    struct sw_ring *ring = ring_of(SW_RING_C, 3);
    const char *others[2] = {endpoints[0], endpoints[2]};
    struct sw_ring *smaller = NULL;
    unsigned missing = 1;
    unsigned moved = 0;
    assert_int_equal(sw_ring_new(SW_RING_C, others, 2, &smaller), 0);
    for (uint32_t at = 0; at < ring->positions_count; at++) {
        unsigned owner = sw_ring_owner(ring, at);
        unsigned among = sw_ring_owner_among(ring, at, is_not, &missing);
        assert_int_not_equal(among, 1);
        if (owner != 1) {
            assert_int_equal(among, owner);
        }
        // One point of the small ring stands elsewhere: it makes way for nobody there.
        moved += among != (sw_ring_owner(smaller, at) == 0 ? 0u : 2u);
        assert_int_equal(sw_ring_owner_among(ring, at, is_none, NULL), owner);
    }
    assert_true(moved < 10);
    sw_ring_free(ring);
    sw_ring_free(smaller);
}

static void test_the_order_of_the_list_does_not_matter_in_generation_c(void **state)
{
    char one[SW_RING_DIGEST_TEXT];
    char other[SW_RING_DIGEST_TEXT];
    struct sw_ring *ring = ring_of(SW_RING_C, 30);
    assert_int_equal(sw_ring_digest(ring, endpoints, one), 0);
    sw_ring_free(ring);
    for (unsigned i = 0; i < 15; i++) {
        const char *text = endpoints[i];
        endpoints[i] = endpoints[29 - i];
        endpoints[29 - i] = text;
    }
    assert_int_equal(sw_ring_new(SW_RING_C, endpoints, 30, &ring), 0);
    assert_int_equal(sw_ring_digest(ring, endpoints, other), 0);
    assert_string_equal(one, other);
    sw_ring_free(ring);
}

static void test_no_endpoints_make_an_empty_ring(void **state)
{
    char digest[SW_RING_DIGEST_TEXT];
    struct sw_ring *ring = ring_of(SW_RING_B, 0);
    assert_null(ring->owners);
    assert_int_equal(sw_ring_digest(ring, endpoints, digest), 0);
    assert_memory_equal(digest, "e3b0c44298fc1c14", 16);
    sw_ring_free(ring);
}

static void test_the_largest_ring_has_all_its_endpoints(void **state)
{
    struct sw_ring *ring = ring_of(SW_RING_C, SW_RING_ENDPOINTS_MAX);
    assert_true(ring->points_count <= ring->positions_count);
    sw_ring_free(ring);
    assert_int_equal(
        sw_ring_new(SW_RING_C, endpoints, SW_RING_ENDPOINTS_MAX + 1, &ring), SW_E_TOO_LARGE
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_to_50_endpoints_give_the_known_rings),
        cmocka_unit_test(test_the_references_digests_are_met),
        cmocka_unit_test(test_keys_go_where_the_reference_says),
        cmocka_unit_test(test_the_next_owner_is_the_one_of_the_ring_without_the_first),
        cmocka_unit_test(test_the_order_of_the_list_does_not_matter_in_generation_c),
        cmocka_unit_test(test_no_endpoints_make_an_empty_ring),
        cmocka_unit_test(test_the_largest_ring_has_all_its_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
