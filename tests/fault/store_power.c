/* The loss of power, as a model: what was written since the last sync may be there, torn at 512 bytes, or not, in any
 * combination. At every call of the system such images are made and opened: with fsync what was acknowledged is
 * there; always the store opens and what it hands out is right. */
#include "tests/fault/store_model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#define FILES       2 // the tree, the marks
#define PENDING_MAX 4096
#define IMAGE_BYTES (16u << 20)
#define SECTOR      512u
#define SNAPSHOT_OF 7 // one call in so many

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
// With 64-bit offsets ours is called pwrite64; the library calls the other one.
ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t offset) __asm__("pwrite");
ssize_t writev(int fd, const struct iovec *parts, int count);
int fdatasync(int fd);

struct pending {
    unsigned file;
    size_t offset;
    size_t size;
    uint8_t *data;
};

static struct {
    bool on;
    char folder[64];
    uint8_t *durable[FILES]; // what is on the disk for certain
    size_t sizes[FILES];
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    uint64_t dice;
    uint64_t calls;
    unsigned images;
    bool fsync;
} disk;

static struct model model;

static const char *const suffixes[FILES] = {"mdb", "heads"};

// Which file of the store is it? -1: another one
static int file_of(int fd)
{
    char link[64];
    char path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    if (size <= 0) {
        return -1;
    }
    path[size] = '\0';
    for (int i = 0; i < FILES; i++) {
        size_t length = strlen(suffixes[i]);
        if (strncmp(path, disk.folder, strlen(disk.folder)) == 0 && (size_t)size > length
            && strcmp(path + size - length, suffixes[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static void apply(uint8_t *image, size_t *size, const struct pending *write)
{
    assert_true(write->offset + write->size <= IMAGE_BYTES);
    memcpy(image + write->offset, write->data, write->size);
    *size = SW_MAX(*size, write->offset + write->size);
}

static void written(int file, const void *data, size_t size, off_t offset, bool synced)
{
    struct pending write = {(unsigned)file, (size_t)offset, size, NULL};
    if (synced) {
        write.data = (uint8_t *)data;
        apply(disk.durable[file], &disk.sizes[file], &write);
        return;
    }
    assert_true(disk.pending_count < PENDING_MAX);
    write.data = malloc(size);
    memcpy(write.data, data, size);
    disk.pending[disk.pending_count++] = write;
}

static void synced(int file)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < disk.pending_count; i++) {
        struct pending *write = &disk.pending[i];
        if ((int)write->file == file) {
            apply(disk.durable[file], &disk.sizes[file], write);
            free(write->data);
        } else {
            disk.pending[kept++] = *write;
        }
    }
    disk.pending_count = kept;
}

static uint64_t roll(void)
{
    return disk.dice = model_mix(disk.dice);
}

// All, none, or sectors of what is pending, whatever the order was.
static void tear(uint8_t *image, size_t *size, int file)
{
    uint64_t kind = roll() % 4;
    for (unsigned i = 0; i < disk.pending_count; i++) {
        struct pending write = disk.pending[i];
        if ((int)write.file != file || kind == 0 || (kind == 1 && roll() % 2 == 0)) {
            continue;
        }
        if (kind == 2) {
            size_t cut = roll() % (write.size + 1) / SECTOR * SECTOR;
            bool tail = roll() % 2 == 0;
            write.data += tail ? cut : 0;
            write.offset += tail ? cut : 0;
            write.size = tail ? write.size - cut : cut;
        }
        apply(image, size, &write);
    }
}

static void save(const char *folder, int file, const uint8_t *data, size_t size)
{
    char path[256];
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    snprintf(path, sizeof(path), "%s/spanweir_file_storage.%s", folder, suffixes[file]);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(real(fd, data, size, 0), size);
    close(fd);
}

/* The machine has lost its power now: is all well when it is back? The store that runs is put aside meanwhile. */
static void power_fails(void)
{
    static struct shelf running;
    static struct model known;
    static uint8_t image[IMAGE_BYTES];
    disk.on = false;
    running = shelf;
    known = model;
    shelf_folder();
    for (int file = 0; file < FILES; file++) {
        size_t size = disk.sizes[file];
        memcpy(image, disk.durable[file], size);
        tear(image, &size, file);
        save(shelf.folder, file, image, size);
    }
    shelf_make();
    struct sw_store_queue *queue = shelf_queue("otlp/traces", SW_TRACES);
    if (shelf_start() != SW_OK) {
        fail_msg("call %llu: %s", (unsigned long long)disk.calls, shelf.error);
    }
    struct model_expect expect = {.complete = disk.fsync, .repeats = true};
    const char *wrong = model_check(&model, queue, expect);
    if (wrong != NULL) {
        fail_msg("call %llu: %s; %s", (unsigned long long)disk.calls, wrong, shelf.news);
    }
    // It goes on from there.
    assert_int_equal(shelf_append_batch(queue, model_batch(1)), 0);
    shelf_stop();
    shelf_clear();
    disk.images++;
    shelf = running;
    model = known;
    disk.on = true;
}

static void call(void)
{
    disk.calls++;
    if (disk.on && roll() % SNAPSHOT_OF == 0) {
        power_fails();
    }
}

static bool is_synced(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    int file = disk.on ? file_of(fd) : -1;
    if (file < 0) {
        return real(fd, data, size, offset);
    }
    call();
    ssize_t done = real(fd, data, size, offset);
    written(file, data, size, offset, is_synced(fd));
    call();
    return done;
}

ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    int file = disk.on ? file_of(fd) : -1;
    off_t offset = file >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    if (file >= 0) {
        call();
    }
    ssize_t done = real(fd, parts, count);
    for (int i = 0; file >= 0 && i < count; i++) {
        written(file, parts[i].iov_base, parts[i].iov_len, offset, false);
        offset += (off_t)parts[i].iov_len;
    }
    return done;
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    int file = disk.on ? file_of(fd) : -1;
    if (file >= 0) {
        call();
        synced(file);
        call();
        return 0;
    }
    return real(fd);
}

static void start_disk(bool fsync)
{
    char path[128];
    struct stat info;
    for (int file = 0; file < FILES; file++) {
        disk.durable[file] = calloc(1, IMAGE_BYTES);
        shelf_path(suffixes[file], path, sizeof(path));
        assert_int_equal(stat(path, &info), 0);
        int fd = open(path, O_RDONLY);
        disk.sizes[file] = (size_t)read(fd, disk.durable[file], IMAGE_BYTES);
        close(fd);
    }
    disk.fsync = fsync;
    snprintf(disk.folder, sizeof(disk.folder), "%s", shelf.folder);
    disk.on = true;
}

static void stop_disk(void)
{
    disk.on = false;
    for (unsigned i = 0; i < disk.pending_count; i++) {
        free(disk.pending[i].data);
    }
    disk.pending_count = 0;
    for (int file = 0; file < FILES; file++) {
        free(disk.durable[file]);
    }
}

static void run(bool fsync, uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.next = 1;
    model_step(&model, NULL, 0);
    disk.dice = seed;
    shelf_folder();
    shelf.conf.fsync = fsync;
    shelf_make();
    struct sw_store_queue *queue = shelf_queue("otlp/traces", SW_TRACES);
    assert_int_equal(shelf_start(), 0);
    start_disk(fsync);
    for (uint64_t i = 0; i < 120; i++) {
        assert_int_equal(model_step(&model, queue, model_mix(seed * 1000 + i)), 0);
    }
    stop_disk();
    shelf_stop();
    shelf_clear();
}

// POWER_SEEDS: how many; POWER_FROM: the first.
static void run_seeds(bool fsync, uint64_t from, uint64_t count)
{
    const char *count_text = getenv("POWER_SEEDS");
    const char *from_text = getenv("POWER_FROM");
    count = count_text != NULL ? strtoull(count_text, NULL, 10) : count;
    from = from_text != NULL ? strtoull(from_text, NULL, 10) : from;
    for (uint64_t seed = from; seed < from + count; seed++) {
        run(fsync, seed);
    }
}

static void test_with_fsync_nothing_acknowledged_is_lost(void **state)
{
    run_seeds(true, 1, 10);
    assert_true(disk.images > 100);
}

static void test_without_it_nothing_wrong_is_handed_out(void **state)
{
    run_seeds(false, 11, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_fsync_nothing_acknowledged_is_lost),
        cmocka_unit_test(test_without_it_nothing_wrong_is_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
