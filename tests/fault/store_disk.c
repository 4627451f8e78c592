/* The store's n-th call of the system fails: what it says it has, it has; what it could not write it says so; it goes on
 * when the disk works again. */
#include "tests/fault/store_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
// With 64-bit offsets ours is called pwrite64; the library calls the other one.
ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t offset) __asm__("pwrite");
ssize_t writev(int fd, const struct iovec *parts, int count);
int fdatasync(int fd);
int fallocate(int fd, int mode, off_t offset, off_t size);

static uint64_t calls;
static uint64_t fail_at; // 0: never
static bool sticky;
static int fail_with;
static bool short_write;

static bool fails(void)
{
    calls++;
    bool now = fail_at > 0 && (calls == fail_at || (sticky && calls > fail_at));
    if (now) {
        errno = fail_with;
    }
    return now;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    if (fails()) {
        return short_write ? real(fd, data, size / 2, offset) : -1;
    }
    return real(fd, data, size, offset);
}

ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    return fails() ? -1 : real(fd, parts, count);
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return fails() ? -1 : real(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    int (*real)(int, int, off_t, off_t) = dlsym(RTLD_NEXT, "fallocate");
    return fails() ? -1 : real(fd, mode, offset, size);
}

static struct model model;

static struct sw_store_queue *up(void)
{
    shelf_make();
    struct sw_store_queue *queue = shelf_queue("otlp/traces", SW_TRACES);
    return shelf_start() == SW_OK ? queue : NULL;
}

static void check(const char *what, uint64_t nth)
{
    fail_at = 0;
    struct sw_store_queue *queue = up();
    if (queue == NULL) {
        fail_msg("%s, call %llu: %s", what, (unsigned long long)nth, shelf.error);
    }
    const char *wrong =
        model_check(&model, queue, (struct model_expect){.complete = true, .repeats = true});
    shelf_stop();
    if (wrong != NULL) {
        fail_msg("%s, call %llu: %s", what, (unsigned long long)nth, wrong);
    }
}

// @return the calls that were made
static uint64_t scenario(const char *what, uint64_t nth)
{
    model_step(&model, NULL, 0);
    memset(&model, 0, sizeof(model));
    model.next = 1;
    shelf_folder();
    shelf.conf.fsync = nth % 2 == 0;
    calls = 0;
    fail_at = nth;
    struct sw_store_queue *queue = up();
    for (uint64_t i = 0; queue != NULL && i < 40; i++) {
        (void)!model_step(&model, queue, model_mix(i + 5));
    }
    uint64_t made = calls;
    fail_at = 0; // the disk works again
    for (uint64_t i = 0; queue != NULL && i < 20; i++) {
        int err = model_step(&model, queue, model_mix(i + 77));
        if (err != SW_OK) {
            fail_msg("%s, call %llu: still %s", what, (unsigned long long)nth, sw_err_text(err));
        }
    }
    shelf_stop();
    check(what, nth);
    shelf_clear();
    return made;
}

static void each_call_fails(const char *what)
{
    uint64_t made = scenario(what, 0);
    assert_true(made > 40);
    for (uint64_t nth = 1; nth <= made + 4; nth++) {
        scenario(what, nth);
    }
}

static void test_each_call_fails_once(void **state)
{
    static const int codes[] = {EIO, ENOSPC, EROFS};
    sticky = false;
    short_write = false;
    for (unsigned i = 0; i < SW_ARRAY_SIZE(codes); i++) {
        fail_with = codes[i];
        each_call_fails(strerror(codes[i]));
    }
}

static void test_each_write_is_short_once(void **state)
{
    sticky = false;
    short_write = true;
    fail_with = EIO;
    each_call_fails("short write");
    short_write = false;
}

static void test_all_calls_fail_from_one_on(void **state)
{
    static const int codes[] = {EIO, ENOSPC, EROFS};
    sticky = true;
    for (unsigned i = 0; i < SW_ARRAY_SIZE(codes); i++) {
        fail_with = codes[i];
        each_call_fails(strerror(codes[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails_once),
        cmocka_unit_test(test_each_write_is_short_once),
        cmocka_unit_test(test_all_calls_fail_from_one_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
