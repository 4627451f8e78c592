/* A real file of the store with a byte changed, cut off at each page, or a page of zeros: it opens each time, hands out
 * nothing that is wrong, and every record whose bytes are still there. */
#include "tests/fault/store_model.h"

#include <fcntl.h>

#define RECORDS 120
#define FLIPS   700
#define PAGE    4096u

static struct model model;
static uint8_t *good;
static uint8_t *bad;
static size_t size;

static void save(size_t length)
{
    char path[128];
    shelf_path("mdb", path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bad, length), length);
    close(fd);
}

static struct sw_store_queue *up(void)
{
    shelf_make();
    struct sw_store_queue *queue = shelf_queue("otlp/traces", SW_TRACES);
    if (shelf_start() != SW_OK) {
        fail_msg("%s", shelf.error);
    }
    return queue;
}

static void make_file(void)
{
    char path[128];
    struct stat info;
    shelf_folder();
    struct sw_store_queue *queue = up();
    model.next = 1;
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_int_equal(model_step(&model, queue, 0), 0);
    }
    shelf_stop();
    shelf_path("mdb", path, sizeof(path));
    assert_int_equal(stat(path, &info), 0);
    size = (size_t)info.st_size;
    good = malloc(size);
    bad = malloc(size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, good, size), size);
    close(fd);
    shelf_clear();
}

// Opens what was saved and looks at all that comes out of it.
static void look(size_t length, const char *what, size_t at, unsigned may_lack)
{
    static uint8_t seen[RECORDS + 2];
    struct sw_record record;
    size_t from = 0;
    struct sw_store_queue *queue = up();
    memset(seen, 0, sizeof(seen));
    for (;;) {
        struct shelf_job job = {.job = {.queue = queue, .op = SW_STORE_READ}};
        shelf_do(&job);
        if (job.job.err != SW_OK) {
            break;
        }
        uint64_t seq = job.job.record.seq; // the key may be what was changed
        if (seq == 0 || seq > RECORDS || seen[seq] || !model_same(&job.job.record)) {
            fail_msg("%s at %zu: record %llu is wrong", what, at, (unsigned long long)seq);
        }
        seen[seq] = 1;
        sw_buf_unref(job.job.buf);
    }
    shelf_stop();
    while (sw_record_find((struct sw_bytes){bad, length}, &from, &record)) {
        if (!seen[record.seq] && may_lack-- == 0) {
            fail_msg(
                "%s at %zu: record %llu, which ends at %zu, is lost; %s",
                what,
                at,
                (unsigned long long)record.seq,
                from,
                shelf.news
            );
        }
    }
}

static void try_file(size_t length, const char *what, size_t at, unsigned may_lack)
{
    shelf_folder();
    save(length);
    look(length, what, at, may_lack);
    shelf_clear();
}

static void test_a_changed_byte(void **state)
{
    for (uint64_t i = 0; i < FLIPS; i++) {
        uint64_t dice = model_mix(i);
        size_t at = (size_t)(dice >> 20) % size;
        if (i % 3 == 0) {
            at = at / PAGE * PAGE + (dice >> 8) % 64; // heads of pages
        } else if (i % 3 == 1) {
            at = (size_t)(dice >> 8) % (8 * PAGE);
        }
        memcpy(bad, good, size);
        bad[at] ^= (uint8_t)(1u << dice % 8);
        // The one that it is in may be lost, also if an older copy of its page is about.
        try_file(size, "changed", at, 1);
    }
}

static void test_a_cut_at_each_page(void **state)
{
    memcpy(bad, good, size);
    for (size_t length = 0; length < size; length += length < 64 * PAGE ? PAGE : 16 * PAGE) {
        try_file(length, "cut", length, 0);
        try_file(length + 100, "cut", length + 100, 0);
    }
}

static void test_a_page_of_zeros(void **state)
{
    for (size_t at = 0; at < size; at += at < 64 * PAGE ? PAGE : 16 * PAGE) {
        memcpy(bad, good, size);
        memset(bad + at, 0, PAGE);
        try_file(size, "zeros", at, 1);
    }
}

static int setup(void **state)
{
    make_file();
    return 0;
}

static int teardown(void **state)
{
    free(good);
    free(bad);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_byte),
        cmocka_unit_test(test_a_cut_at_each_page),
        cmocka_unit_test(test_a_page_of_zeros),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
