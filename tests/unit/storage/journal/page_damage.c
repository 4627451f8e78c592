/* Files that were damaged: the checker finds it, or the library works with them all the same. A child opens
 * those that the checker passes, and reads, fills and empties them; it may not crash, hang or be told of an
 * error, and what it leaves must be sound. */
#include <sys/wait.h>

#include "page_use.h"

#define SEEDS         2
#define PAGES_MAX     256
#define BITS_PER_PAGE 30
#define MIXED_DAMAGES 5000

static struct image pristine;
static struct image damaged;
static unsigned checks_count;
static unsigned passed_count;

/* ---- damage ---- */

static int run_child(const char *path, uint64_t records)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        use_file(path, records);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void write_file(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, damaged.data, size), (ssize_t)size);
    close(fd);
}

/* Puts right what was changed in [at, at + count). @return false: it is sound, and the library fails */
static bool try_damage(size_t at, size_t count, size_t size)
{
    char path[64];
    struct sw_page_report report;
    int status = 0;
    // The exact size, so that a sanitizer sees what is read behind it.
    int err = sw_page_check((struct sw_bytes){damaged.data, size}, &report);
    assert_true(err == SW_OK ? report.why == NULL : err == SW_E_MALFORMED && report.why != NULL);
    checks_count++;
    if (err == SW_OK) {
        passed_count++;
        snprintf(path, sizeof(path), "/tmp/sw-damage-%d", (int)getpid());
        write_file(path, size);
        status = run_child(path, report.records);
        unlink(path);
    }
    if (status != 0) {
        print_error(
            "bytes %zu+%zu (page %zu, byte %zu): status %#x\n",
            at,
            count,
            at / SW_PAGE_BYTES,
            at % SW_PAGE_BYTES,
            (unsigned)status
        );
    }
    memcpy(damaged.data + at, pristine.data + at, count);
    return status == 0;
}

static void make_files(uint64_t seed)
{
    struct store store;
    struct sw_rand rand;
    sw_rand_init(&rand, seed);
    store_open(&store);
    for (unsigned round = 0; round < 12; round++) {
        assert_int_equal(any_round(&store, &rand, 30, 60, 250, seed % 2 == 0 || round < 8), 0);
    }
    pristine = image_of(&store);
    damaged = image_of(&store);
    store_close(&store);
    assert_true(try_damage(0, 0, damaged.size));
}

static void free_files(void)
{
    sw_free(pristine.data);
    sw_free(damaged.data);
}

/* ---- where it hurts ---- */

static uint16_t u16_at(size_t at)
{
    uint16_t value;
    memcpy(&value, pristine.data + at, sizeof(value));
    return value;
}

/* Pages that are free or behind the last one are nobody's: a wrong head does not show. */
static bool is_in_use(size_t page)
{
    struct sw_page_report report;
    memset(damaged.data + page * SW_PAGE_BYTES, 0xff, 16);
    int err = sw_page_check((struct sw_bytes){damaged.data, damaged.size}, &report);
    memcpy(damaged.data + page * SW_PAGE_BYTES, pristine.data + page * SW_PAGE_BYTES, 16);
    return err != SW_OK;
}

static bool is_of_free_tree(size_t page)
{
    uint64_t roots[2];
    memcpy(&roots[0], pristine.data + 16 + 24 + 40, sizeof(roots[0]));
    memcpy(&roots[1], pristine.data + SW_PAGE_BYTES + 16 + 24 + 40, sizeof(roots[1]));
    return page == roots[0] || page == roots[1];
}

/* Some byte of a page that the library trusts; values are not among them, but for lists of free pages. */
static size_t any_byte(struct sw_rand *rand, size_t page)
{
    size_t begin = page * SW_PAGE_BYTES;
    unsigned flags = u16_at(begin + 10);
    if (page < 2) {
        return begin + sw_rand_below(rand, 152);
    }
    if (flags != 1 && flags != 2) {
        return begin + sw_rand_below(rand, 16);
    }
    if (is_of_free_tree(page) && sw_rand_below(rand, 3) == 0) {
        size_t upper = u16_at(begin + 14);
        return begin + upper + sw_rand_below(rand, SW_PAGE_BYTES - upper);
    }
    size_t nodes = (u16_at(begin + 12) - 16u) / 2;
    size_t pointer = begin + 16 + 2 * sw_rand_below(rand, nodes);
    size_t node = begin + u16_at(pointer);
    bool is_big = flags == 2 && u16_at(node + 4) != 0;
    switch (sw_rand_below(rand, 4)) {
    case 0:
        return begin + sw_rand_below(rand, 16);
    case 1:
        return pointer + sw_rand_below(rand, 2);
    default:
        return SW_MIN(node + sw_rand_below(rand, is_big ? 24 : 16), begin + SW_PAGE_BYTES - 1);
    }
}

/* ---- tests ---- */

static size_t pages_in_use(size_t *pages, size_t count_max)
{
    size_t count = 0;
    for (size_t page = 0; page < pristine.size / SW_PAGE_BYTES && count < count_max; page++) {
        if (is_in_use(page)) {
            pages[count++] = page;
        }
    }
    return count;
}

static bool try_bit(size_t at, unsigned bit)
{
    damaged.data[at] ^= (uint8_t)(1u << bit);
    return try_damage(at, 1, damaged.size);
}

static void test_flipped_bits_are_found_or_do_no_harm(void **state)
{
    unsigned failed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t pages[PAGES_MAX];
        struct sw_rand rand;
        sw_rand_init(&rand, seed);
        make_files(seed);
        size_t count = pages_in_use(pages, PAGES_MAX);
        for (size_t i = 0; i < count; i++) {
            // Of meta pages and heads each bit.
            size_t begin = pages[i] * SW_PAGE_BYTES;
            for (size_t bit = 0; bit < (pages[i] < 2 ? 152 : 16) * 8; bit++) {
                failed += !try_bit(begin + bit / 8, bit % 8);
            }
            for (unsigned n = 0; n < BITS_PER_PAGE; n++) {
                failed += !try_bit(any_byte(&rand, pages[i]), (unsigned)sw_rand_below(&rand, 8));
            }
        }
        free_files();
    }
    assert_int_equal(failed, 0);
}

/* A few bytes become what stands elsewhere, where a checker may take them for right. */
static bool try_mixed_up(struct sw_rand *rand, const size_t *pages, size_t count)
{
    static const uint8_t sizes[] = {1, 2, 2, 4, 8, 8, 16, 24};
    size_t size = sizes[sw_rand_below(rand, sizeof(sizes))];
    size_t to = any_byte(rand, pages[sw_rand_below(rand, count)]) & ~(SW_MIN(size, 8) - 1);
    size_t from = any_byte(rand, pages[sw_rand_below(rand, count)]) & ~(SW_MIN(size, 8) - 1);
    if (size <= 8 && sw_rand_below(rand, 4) == 0) {
        uint64_t number;
        memcpy(&number, damaged.data + to, sizeof(number));
        number += sw_rand_below(rand, 9) - 4;
        memcpy(damaged.data + to, &number, size);
    } else {
        memmove(damaged.data + to, damaged.data + from, size);
    }
    return try_damage(to, size, damaged.size);
}

static void test_bytes_mixed_up_are_found_or_do_no_harm(void **state)
{
    unsigned failed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t pages[PAGES_MAX];
        struct sw_rand rand;
        sw_rand_init(&rand, seed);
        make_files(seed + 20);
        size_t count = pages_in_use(pages, PAGES_MAX);
        for (unsigned i = 0; i < MIXED_DAMAGES / SEEDS; i++) {
            failed += !try_mixed_up(&rand, pages, count);
        }
        free_files();
    }
    assert_int_equal(failed, 0);
}

static void test_pages_lost_or_mistaken_are_found_or_do_no_harm(void **state)
{
    unsigned failed = 0;
    size_t pages[PAGES_MAX];
    struct sw_rand rand;
    sw_rand_init(&rand, 3);
    make_files(3);
    size_t count = pages_in_use(pages, PAGES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t begin = pages[i] * SW_PAGE_BYTES;
        memset(damaged.data + begin, 0, SW_PAGE_BYTES);
        failed += !try_damage(begin, SW_PAGE_BYTES, damaged.size);
        memset(damaged.data + begin + 512, 0, SW_PAGE_BYTES - 512);
        failed += !try_damage(begin, SW_PAGE_BYTES, damaged.size);
        size_t other = pages[sw_rand_below(&rand, count)] * SW_PAGE_BYTES;
        memcpy(damaged.data + begin, pristine.data + other, SW_PAGE_BYTES);
        failed += !try_damage(begin, SW_PAGE_BYTES, damaged.size);
        // With the right number it is harder to tell.
        memcpy(damaged.data + begin + 8, pristine.data + other + 8, SW_PAGE_BYTES - 8);
        failed += !try_damage(begin, SW_PAGE_BYTES, damaged.size);
    }
    free_files();
    assert_int_equal(failed, 0);
}

static uint64_t txn_id_now(void)
{
    struct sw_page_report report;
    assert_int_equal(sw_page_check((struct sw_bytes){damaged.data, damaged.size}, &report), SW_OK);
    return report.txn_id;
}

/* A record of the tree of free pages, the first one or the last, with its list of two pages or more. */
static uint8_t *free_list_key(bool is_last)
{
    uint64_t root;
    uint8_t *found = NULL;
    size_t meta = txn_id_now() % 2 * SW_PAGE_BYTES;
    memcpy(&root, damaged.data + meta + 16 + 24 + 40, sizeof(root));
    size_t begin = root * SW_PAGE_BYTES;
    for (size_t at = begin + 16; at < begin + u16_at(begin + 12); at += 2) {
        uint8_t *node = damaged.data + begin + u16_at(at);
        if (found == NULL || is_last) {
            assert_true(node[4] == 0 && node[16] >= 2);
            found = node + 8;
        }
    }
    assert_non_null(found);
    return found;
}

static void require_malformed_with(uint8_t *at, const uint64_t *words, size_t count)
{
    struct sw_page_report report;
    memcpy(at, words, count * sizeof(*words));
    int err = sw_page_check((struct sw_bytes){damaged.data, damaged.size}, &report);
    memcpy(at, pristine.data + (at - damaged.data), count * sizeof(*words));
    assert_int_equal(err, SW_E_MALFORMED);
}

static void test_a_wrong_list_of_free_pages_is_malformed(void **state)
{
    make_files(1);
    uint8_t *key = free_list_key(false);
    uint8_t *list = key + 8;
    uint64_t was[3];
    memcpy(was, list, sizeof(was));
    uint64_t last_page = pristine.size / SW_PAGE_BYTES - SPARE_PAGES - 1;
    require_malformed_with(list, (uint64_t[]){was[0], was[2], was[1]}, 3);
    require_malformed_with(list, (uint64_t[]){was[0], was[1], was[1]}, 3);
    require_malformed_with(list, (uint64_t[]){was[0], last_page + 1}, 2);
    require_malformed_with(list, (uint64_t[]){was[0], was[1], 1}, 3);
    require_malformed_with(list, (uint64_t[]){1000000}, 1);
    require_malformed_with(list, (uint64_t[]){UINT64_MAX}, 1);
    require_malformed_with(key, (uint64_t[]){0}, 1);
    require_malformed_with(free_list_key(true), (uint64_t[]){txn_id_now() + 1}, 1);
    free_files();
}

/* The library would go by the larger number alone, and lose what the other page says. Two steps forward or back
 * look as what a killed writer leaves, and are sound here: the store tells them apart, by its marks and by who freed
 * pages last (journal.c: set back, set forward). */
static void test_meta_pages_that_do_not_follow_are_malformed(void **state)
{
    make_files(2);
    uint64_t now = txn_id_now();
    size_t place = 16 + 24 + 2 * 48 + 8;
    uint8_t *newer = damaged.data + now % 2 * SW_PAGE_BYTES + place;
    uint8_t *older = damaged.data + (now + 1) % 2 * SW_PAGE_BYTES + place;
    require_malformed_with(older, (uint64_t[]){now - 3}, 1);
    require_malformed_with(older, (uint64_t[]){0}, 1);
    require_malformed_with(older, (uint64_t[]){now}, 1);
    require_malformed_with(older, (uint64_t[]){now + 2}, 1);
    require_malformed_with(newer, (uint64_t[]){now + 2}, 1);
    require_malformed_with(newer, (uint64_t[]){now - 3}, 1);
    free_files();
}

static void test_a_file_cut_short_is_malformed(void **state)
{
    make_files(5);
    size_t pages = pristine.size / SW_PAGE_BYTES - SPARE_PAGES;
    for (size_t size = 0; size < pages * SW_PAGE_BYTES;
         size += size % SW_PAGE_BYTES == 0 ? 4095 : 1) {
        struct sw_page_report report;
        uint8_t *cut = sw_alloc(size); // exact, for sanitizers
        memcpy(cut, pristine.data, size);
        assert_int_equal(sw_page_check((struct sw_bytes){cut, size}, &report), SW_E_MALFORMED);
        assert_non_null(report.why);
        sw_free(cut);
    }
    assert_true(try_damage(0, 0, pages * SW_PAGE_BYTES));
    free_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped_bits_are_found_or_do_no_harm),
        cmocka_unit_test(test_bytes_mixed_up_are_found_or_do_no_harm),
        cmocka_unit_test(test_pages_lost_or_mistaken_are_found_or_do_no_harm),
        cmocka_unit_test(test_a_wrong_list_of_free_pages_is_malformed),
        cmocka_unit_test(test_meta_pages_that_do_not_follow_are_malformed),
        cmocka_unit_test(test_a_file_cut_short_is_malformed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("# %u checks, %u files passed on to the library\n", checks_count, passed_count);
    return failed;
}
