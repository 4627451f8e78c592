/* One file on disk: opening, writing records, turning it over when it is full. */
#include "dataplane/base/mem.h"
#include "storage/files/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct target *sw_target_new(const char *path)
{
    struct target *target = sw_zalloc(sizeof(*target));
    char *copy = sw_strdup(path);
    if (target == NULL || copy == NULL) {
        sw_free(target);
        sw_free(copy);
        return NULL;
    }
    target->path = copy;
    target->fd = -1;
    return target;
}

void sw_target_close(struct target *target)
{
    if (target->fd >= 0) {
        close(target->fd);
        target->fd = -1;
    }
}

void sw_target_free(struct target *target)
{
    sw_target_close(target);
    sw_free(target->path);
    sw_free(target);
}

// Rotation goes on with a file that is there, groups and append too; else it begins anew.
static int flags_of(const struct sw_file *file)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    if (file->conf.rotate || file->conf.append) {
        return flags | O_APPEND;
    }
    return flags | O_TRUNC;
}

static int open_path(const struct sw_file *file, const char *path)
{
    return open(path, flags_of(file), file->conf.rotate ? 0600 : 0644);
}

int sw_target_open(struct sw_file *file, struct target *target)
{
    struct stat info;
    if (file->conf.rotate) {
        sw_file_make_folder(target->path, 0755);
    }
    if (file->conf.text && strcmp(target->path, "stdout") == 0) {
        target->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    } else if (file->conf.text && strcmp(target->path, "stderr") == 0) {
        target->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    } else {
        target->fd = open_path(file, target->path);
    }
    if (target->fd < 0) {
        return SW_E_SYSTEM;
    }
    target->size = fstat(target->fd, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
    if (file->conf.rotate) {
        sw_file_prune(file, target->path);
    }
    return SW_OK;
}

static int turn_over(struct sw_file *file, struct target *target)
{
    sw_target_close(target);
    int err = sw_file_backup(file, target->path);
    return err == SW_OK ? sw_target_open(file, target) : err;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return SW_E_SYSTEM;
        }
        data += put;
        size -= (size_t)put;
    }
    return SW_OK;
}

int sw_target_write(struct sw_file *file, struct target *target, const struct file_bytes *record)
{
    int err = SW_OK;
    if (file->conf.rotate && record->size > file->conf.max_bytes) {
        return SW_E_TOO_LARGE;
    }
    if (target->fd >= 0 && file->conf.rotate
        && target->size + record->size > file->conf.max_bytes) {
        err = turn_over(file, target);
    } else if (target->fd < 0) {
        err = sw_target_open(file, target); // it could not be opened after a turn
    }
    if (err != SW_OK) {
        return err;
    }
    err = write_all(target->fd, record->data, record->size);
    if (err == SW_OK) {
        target->size += record->size;
        return SW_OK;
    }
    int reason = errno;
    // Half a record would spoil the next one. On pipes and devices there is nothing to take back, and
    // behind what others append nothing must go.
    if (!file->conf.append && ftruncate(target->fd, (off_t)target->size) == 0
        && !(flags_of(file) & O_APPEND)) {
        (void)lseek(target->fd, (off_t)target->size, SEEK_SET);
    }
    errno = reason;
    return err;
}
