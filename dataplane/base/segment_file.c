#include "dataplane/base/segment_file.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATH_MAX_BYTES 4096
#define SUFFIX         ".window"
#define TMPFS          0x01021994
#define RAMFS          0x858458f6

struct old_file {
    char *path;
    void *data;
    size_t size;
};

struct sw_segment_dir {
    char *stem; // of the files, with the owner's ID
    uint64_t start_ns;
    int lock_fd;
    bool on_disk;
    _Atomic int64_t left_bytes; // of the limit
    struct old_file *old;
    unsigned old_count;
    unsigned files_count;
};

/* Room that was given back, to be mapped again. */
struct hole {
    uint64_t offset;
    uint32_t size;
};

struct sw_segment_file {
    struct sw_segment_dir *dir;
    int fd;
    uint64_t end;
    struct hole *holes;
    uint32_t holes_count;
    uint32_t holes_capacity;
};

/* ---- the directory ---- */

static int fail(char *error, size_t error_size, const char *what, const char *path)
{
    snprintf(error, error_size, "%s %s: %s", what, path, strerror(errno));
    return SW_E_SYSTEM;
}

static char *stem_of(const char *path, const char *id)
{
    size_t size = strlen(path) + strlen(id) + 2;
    char *stem = sw_alloc(size);
    if (stem != NULL) {
        snprintf(stem, size, "%s/%s", path, id);
        for (char *at = stem + strlen(path) + 1; *at != '\0'; at++) {
            *at = *at == '/' ? '~' : *at;
        }
    }
    return stem;
}

static int make_directory(const char *path, char *error, size_t error_size)
{
    char part[PATH_MAX_BYTES];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST) {
            return fail(error, error_size, "create directory", part);
        }
        *slash = '/';
    }
    return mkdir(part, 0750) != 0 && errno != EEXIST
               ? fail(error, error_size, "create directory", part)
               : SW_OK;
}

static int take_lock(struct sw_segment_dir *dir, char *error, size_t error_size)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s.lock", dir->stem);
    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0) {
        return fail(error, error_size, "open", path);
    }
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(error, error_size, "%s is held by another process", path);
        return SW_E_SYSTEM;
    }
    return SW_OK;
}

static int add_old(struct sw_segment_dir *dir, const char *folder, const char *name)
{
    struct old_file *old = sw_realloc(dir->old, (dir->old_count + 1) * sizeof(*old));
    size_t size = strlen(folder) + strlen(name) + 2;
    if (old == NULL) {
        return SW_E_NOMEM;
    }
    dir->old = old;
    char *path = sw_alloc(size);
    if (path == NULL) {
        return SW_E_NOMEM;
    }
    snprintf(path, size, "%s/%s", folder, name);
    dir->old[dir->old_count++] = (struct old_file){.path = path};
    return SW_OK;
}

// "ID.START.CORE.window"
static bool is_ours(const struct sw_segment_dir *dir, const char *folder, const char *name)
{
    const char *id = dir->stem + strlen(folder) + 1;
    size_t id_size = strlen(id);
    size_t size = strlen(name);
    return size > id_size + sizeof(SUFFIX) && strncmp(name, id, id_size) == 0
           && name[id_size] == '.' && strspn(name + id_size + 1, "0123456789abcdef") == 16
           && strcmp(name + size - strlen(SUFFIX), SUFFIX) == 0;
}

static int find_old(struct sw_segment_dir *dir, const char *folder, char *error, size_t error_size)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    int err = SW_OK;
    if (listing == NULL) {
        return fail(error, error_size, "read directory", folder);
    }
    while (err == SW_OK && (entry = readdir(listing)) != NULL) {
        if (is_ours(dir, folder, entry->d_name)) {
            err = add_old(dir, folder, entry->d_name);
        }
    }
    closedir(listing);
    return err;
}

int sw_segment_dir_open(
    const char *path,
    const char *id,
    uint64_t size_max,
    struct sw_segment_dir **ret_dir,
    char *error,
    size_t error_size
)
{
    struct statfs info;
    struct sw_segment_dir *dir = sw_zalloc(sizeof(*dir));
    if (dir == NULL) {
        return SW_E_NOMEM;
    }
    dir->lock_fd = -1;
    dir->start_ns = sw_clock_wall_ns();
    dir->stem = stem_of(path, id);
    atomic_init(&dir->left_bytes, (int64_t)size_max);
    int err = dir->stem != NULL ? make_directory(path, error, error_size) : SW_E_NOMEM;
    if (err == SW_OK) {
        err = take_lock(dir, error, error_size);
    }
    if (err == SW_OK) {
        err = find_old(dir, path, error, error_size);
    }
    if (err != SW_OK) {
        sw_segment_dir_close(dir, false);
        return err;
    }
    dir->on_disk = statfs(path, &info) == 0 && info.f_type != TMPFS && info.f_type != RAMFS;
    *ret_dir = dir;
    return SW_OK;
}

static void file_path(const struct sw_segment_dir *dir, unsigned core, char *ret_path)
{
    snprintf(
        ret_path,
        PATH_MAX_BYTES,
        "%s.%016llx.%u" SUFFIX,
        dir->stem,
        (unsigned long long)dir->start_ns,
        core
    );
}

void sw_segment_dir_close(struct sw_segment_dir *dir, bool empty)
{
    char path[PATH_MAX_BYTES];
    if (dir == NULL) {
        return;
    }
    for (unsigned i = 0; i < dir->old_count; i++) {
        sw_segment_dir_old_done(dir, i, SW_OLD_STAYS);
        sw_free(dir->old[i].path);
    }
    for (unsigned core = 0; empty && core < dir->files_count; core++) {
        file_path(dir, core, path);
        unlink(path);
    }
    if (dir->lock_fd >= 0) {
        close(dir->lock_fd);
    }
    sw_free(dir->old);
    sw_free(dir->stem);
    sw_free(dir);
}

bool sw_segment_dir_on_disk(const struct sw_segment_dir *dir)
{
    return dir->on_disk;
}

unsigned sw_segment_dir_old_count(const struct sw_segment_dir *dir)
{
    return dir->old_count;
}

int sw_segment_dir_old_map(
    struct sw_segment_dir *dir,
    unsigned index,
    const uint8_t **ret_data,
    size_t *ret_size
)
{
    struct old_file *old = &dir->old[index];
    struct stat info;
    int fd = open(old->path, O_RDONLY | O_CLOEXEC);
    *ret_data = NULL;
    *ret_size = 0;
    if (fd < 0) {
        return errno == ENOENT ? SW_OK : SW_E_SYSTEM;
    }
    int err = SW_E_SYSTEM;
    if (fstat(fd, &info) == 0) {
        void *data = info.st_size > 0
                         ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0)
                         : NULL;
        if (data != MAP_FAILED) {
            old->data = data;
            old->size = (size_t)info.st_size;
            *ret_data = data;
            *ret_size = old->size;
            err = SW_OK;
        }
    }
    close(fd);
    return err;
}

void sw_segment_dir_old_done(struct sw_segment_dir *dir, unsigned index, enum sw_old_end end)
{
    char path[PATH_MAX_BYTES];
    struct old_file *old = &dir->old[index];
    if (old->data != NULL) {
        munmap(old->data, old->size);
        old->data = NULL;
    }
    if (end == SW_OLD_GOES) {
        unlink(old->path);
    } else if (end == SW_OLD_ASIDE) {
        snprintf(path, sizeof(path), "%s.bad", old->path);
        (void)rename(old->path, path);
    }
}

/* ---- the file of a core ---- */

int sw_segment_file_new(
    struct sw_segment_dir *dir,
    unsigned core,
    struct sw_segment_file **ret_file
)
{
    char path[PATH_MAX_BYTES];
    struct sw_segment_file *file = sw_zalloc(sizeof(*file));
    if (file == NULL) {
        return SW_E_NOMEM;
    }
    file_path(dir, core, path);
    file->dir = dir;
    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        sw_free(file);
        return SW_E_SYSTEM;
    }
    dir->files_count = SW_MAX(dir->files_count, core + 1);
    *ret_file = file;
    return SW_OK;
}

void sw_segment_file_free(struct sw_segment_file *file)
{
    if (file != NULL) {
        close(file->fd);
        sw_free(file->holes);
        sw_free(file);
    }
}

static bool take_credit(struct sw_segment_dir *dir, int64_t size)
{
    if (atomic_fetch_sub_explicit(&dir->left_bytes, size, memory_order_relaxed) >= size) {
        return true;
    }
    atomic_fetch_add_explicit(&dir->left_bytes, size, memory_order_relaxed);
    return false;
}

static void give_credit(struct sw_segment_dir *dir, int64_t size)
{
    atomic_fetch_add_explicit(&dir->left_bytes, size, memory_order_relaxed);
}

// Where a mapping of this size goes: into a hole that fits exactly, else to the end.
static uint64_t place(struct sw_segment_file *file, uint32_t size)
{
    for (uint32_t i = file->holes_count; i-- > 0;) {
        if (file->holes[i].size == size) {
            uint64_t offset = file->holes[i].offset;
            file->holes[i] = file->holes[--file->holes_count];
            return offset;
        }
    }
    uint64_t offset = file->end;
    file->end += size;
    return offset;
}

// Without memory to remember it the room is not used again; it has been given back all the same.
static void add_hole(struct sw_segment_file *file, uint32_t size, uint64_t offset)
{
    if (file->holes_count == file->holes_capacity) {
        uint32_t capacity = SW_MAX(16u, file->holes_capacity * 2);
        struct hole *holes = sw_realloc(file->holes, capacity * sizeof(*holes));
        if (holes == NULL) {
            return;
        }
        file->holes = holes;
        file->holes_capacity = capacity;
    }
    file->holes[file->holes_count++] = (struct hole){offset, size};
}

static void punch(struct sw_segment_file *file, uint32_t size, uint64_t offset)
{
    (void
    )fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
    add_hole(file, size, offset);
}

uint8_t *sw_segment_file_map(
    struct sw_segment_file *file,
    uint32_t size,
    bool populate,
    uint64_t *ret_offset
)
{
    if (!take_credit(file->dir, size)) {
        return NULL;
    }
    uint64_t offset = place(file, size);
    void *data = MAP_FAILED;
    if (fallocate(file->fd, 0, (off_t)offset, (off_t)size) == 0) {
        int flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
        data = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file->fd, (off_t)offset);
    }
    if (data == MAP_FAILED) {
        punch(file, size, offset);
        give_credit(file->dir, size);
        return NULL;
    }
    *ret_offset = offset;
    return data;
}

void sw_segment_file_unmap(
    struct sw_segment_file *file,
    uint8_t *data,
    uint32_t size,
    uint64_t offset
)
{
    munmap(data, size);
    punch(file, size, offset);
    give_credit(file->dir, size);
}
