/* Decision caches by themselves: many entries, credit shared by several, memory that runs out. */
#include "sampling/verdict/cache.h"

#include "tests/lib/bench.h"
#include "tests/lib/traces.h"

static struct sw_account account;
static struct sw_shard_key key;
static struct sw_decision_credit credit;

static void open_cache(struct sw_decision_cache *cache, uint64_t most)
{
    struct sw_rand rand;
    sw_rand_init(&rand, 3);
    sw_shard_key_init(&key, &rand);
    credit.most = most;
    sw_decision_cache_init(cache, &credit, &key, &account);
}

static void close_cache(struct sw_decision_cache *cache)
{
    sw_decision_cache_fini(cache);
    assert_int_equal(sw_account_charged(&account), 0);
    assert_int_equal(atomic_load(&credit.used), 0);
}

static bool put(struct sw_decision_cache *cache, uint64_t number)
{
    uint8_t id[16];
    traces_id(id, number, 0);
    return sw_decision_cache_put(cache, id, (uint16_t)number);
}

static bool hit(struct sw_decision_cache *cache, uint64_t number)
{
    uint8_t id[16];
    traces_id(id, number, 77); // the left half does not matter
    uint16_t policy = 0;
    bool known = sw_decision_cache_hit(cache, id, &policy);
    assert_int_equal(policy, known ? (uint16_t)number : 0);
    return known;
}

static void test_cache_of_size_0_takes_nothing(void **state)
{
    struct sw_decision_cache cache;
    open_cache(&cache, 0);
    assert_false(put(&cache, 1));
    assert_false(hit(&cache, 1));
    close_cache(&cache);
}

static void test_many_are_found_and_the_oldest_forgotten(void **state)
{
    struct sw_decision_cache cache;
    const uint64_t most = 20000;
    open_cache(&cache, most);
    for (uint64_t i = 1; i <= 3 * most; i++) {
        assert_true(put(&cache, i));
        assert_true(put(&cache, i)); // twice is once
    }
    for (uint64_t i = 1; i <= 3 * most; i++) {
        assert_int_equal(hit(&cache, i), i > 2 * most);
    }
    assert_int_equal(atomic_load(&credit.used), most);
    close_cache(&cache);
}

static void test_hit_and_put_make_it_the_newest(void **state)
{
    struct sw_decision_cache cache;
    open_cache(&cache, 3);
    put(&cache, 1);
    put(&cache, 2);
    put(&cache, 3);
    assert_true(hit(&cache, 1));
    put(&cache, 2);
    put(&cache, 4);
    assert_false(hit(&cache, 3));
    assert_true(hit(&cache, 1) && hit(&cache, 2) && hit(&cache, 4));
    close_cache(&cache);
}

static void test_size_counts_over_all_cores(void **state)
{
    struct sw_decision_cache caches[2];
    open_cache(&caches[0], 10);
    open_cache(&caches[1], 10);
    for (uint64_t i = 1; i <= 8; i++) {
        assert_true(put(&caches[0], i));
    }
    for (uint64_t i = 11; i <= 15; i++) {
        assert_true(put(&caches[1], i));
    }
    assert_false(hit(&caches[1], 13));
    assert_true(hit(&caches[1], 14) && hit(&caches[1], 15));
    assert_true(hit(&caches[0], 1) && hit(&caches[0], 8));
    assert_int_equal(atomic_load(&credit.used), 10);
    sw_decision_cache_fini(&caches[0]);
    close_cache(&caches[1]);
}

static void test_without_memory_it_remembers_less(void **state)
{
    for (uint64_t nth = 1; nth < 14; nth++) {
        struct sw_decision_cache cache;
        open_cache(&cache, 5000);
        sw_mem_fail_at(nth, nth % 2 == 0);
        for (uint64_t i = 1; i <= 2500; i++) {
            if (put(&cache, i)) {
                assert_true(hit(&cache, i));
            }
        }
        sw_mem_fail_at(0, 0);
        assert_true(put(&cache, 9999));
        assert_true(hit(&cache, 9999));
        close_cache(&cache);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_of_size_0_takes_nothing),
        cmocka_unit_test(test_many_are_found_and_the_oldest_forgotten),
        cmocka_unit_test(test_hit_and_put_make_it_the_newest),
        cmocka_unit_test(test_size_counts_over_all_cores),
        cmocka_unit_test(test_without_memory_it_remembers_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
