/* kill -9 of the process that owns the store, at any time and at its n-th write: what was acknowledged is there, once,
 * whole and in order; what was released is not; the counts are right.
 *
 * STORE_ROUNDS says how often, STORE_SEED with which dice. */
#include "tests/fault/store_model.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS_DEFAULT 450

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
// With 64-bit offsets ours is called pwrite64; the library calls the other one.
ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t offset) __asm__("pwrite");
ssize_t writev(int fd, const struct iovec *parts, int count);
int fdatasync(int fd);

static uint64_t kill_in; // calls from now; 0: never

static void call(void)
{
    if (kill_in > 0 && --kill_in == 0) {
        raise(SIGKILL);
    }
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    call();
    if (kill_in == 1) { // half of it, and then no more
        size = (size + 1) / 2;
        (void)!real(fd, data, size, offset);
        raise(SIGKILL);
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
    call();
    return real(fd, parts, count);
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    call();
    return real(fd);
}

static struct model *model;

static struct sw_store_queue *up(void)
{
    shelf_make();
    struct sw_store_queue *queue = shelf_queue("otlp/traces", SW_TRACES);
    if (shelf_start() != SW_OK) {
        fail_msg("%s", shelf.error);
    }
    return queue;
}

static void child(uint64_t dice)
{
    shelf.conf.fsync = dice % 7 == 0;
    kill_in = dice % 3 == 0 ? 1 + (dice >> 8) % 60 : 0;
    struct sw_store_queue *queue = up();
    for (uint64_t i = 0; model->next < MODEL_RECORDS - 2; i++) {
        (void)!model_step(model, queue, model_mix(dice + i));
    }
    _exit(0);
}

static void round_of(uint64_t dice, uint64_t number)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(dice);
    }
    if (dice % 3 != 0) {
        nanosleep(&(struct timespec){.tv_nsec = (long)(dice >> 16) % 6000000}, NULL);
        kill(pid, SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct sw_store_queue *queue = up();
    const char *wrong = model_check(model, queue, (struct model_expect){.complete = true});
    bool damaged = strstr(shelf.news, "damaged") != NULL;
    shelf_stop();
    if (wrong != NULL || damaged) {
        fail_msg(
            "round %llu: %s%s", (unsigned long long)number, wrong != NULL ? wrong : "", shelf.news
        );
    }
}

static void start_over(void)
{
    shelf_clear();
    shelf_folder();
    memset(model, 0, sizeof(*model));
    model->next = 1;
}

static void test_a_killed_store_has_what_it_acknowledged(void **state)
{
    const char *rounds = getenv("STORE_ROUNDS");
    const char *seed = getenv("STORE_SEED");
    uint64_t count = rounds != NULL ? strtoull(rounds, NULL, 10) : ROUNDS_DEFAULT;
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(model != MAP_FAILED);
    shelf_folder();
    start_over();
    for (uint64_t i = 0; i < count; i++) {
        // A new folder now and then; small ones, too, that fill up.
        if (i % 50 == 0 || model->next > MODEL_RECORDS / 2) {
            start_over();
            shelf.conf.max_bytes = i % 100 == 0 ? 0 : UINT64_C(6) << 20;
        }
        round_of(model_mix(first * 1000003 + i), i);
    }
    shelf_clear();
    munmap(model, sizeof(*model));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_killed_store_has_what_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
