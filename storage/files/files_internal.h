/* What the files of the actor share: files.c (messages, which file), file_encode.c (records),
 * file_target.c (one file on disk), file_rotate.c (backups). */
#ifndef SW_FILES_FILES_INTERNAL_H
#define SW_FILES_FILES_INTERNAL_H

#include "dataplane/l7_http/codec.h"
#include "dataplane/otlp/protobuf.h"
#include "storage/files/files.h"

#include <sys/queue.h>

/** One file on disk. */
struct target {
    TAILQ_ENTRY(target) link; /**< of a component's, last used first */
    char *path;
    int fd; /**< -1: not open */
    uint64_t size;
};

TAILQ_HEAD(target_list, target);

/** One component's. */
struct sw_file {
    TAILQ_ENTRY(sw_file) link;
    struct sw_files *files;
    struct sw_file_conf conf;
    unsigned users_count;
    struct target_list targets; /**< ungrouped: one */
    uint32_t targets_count;
};

struct sw_files {
    struct sw_mailbox *mailbox;
    unsigned index;
    struct sw_account *account;
    struct sw_codec *codec; /**< NULL until needed */
    uint64_t wall_ns;
    TAILQ_HEAD(, sw_file) all;
};

/** A growing list of bytes. */
struct file_bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};
SW_CHECKED int sw_file_bytes_add(struct file_bytes *bytes, const void *data, size_t size);

/** Why a job failed, for its sender. @return err */
int sw_file_fail(struct sw_file_job *job, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- file_encode.c ---- */

/** A request as one record, length or line feed included; the caller's. */
SW_CHECKED int sw_file_encode(
    struct sw_file *file,
    enum sw_signal signal,
    struct sw_bytes request,
    struct file_bytes *ret_record,
    struct sw_file_job *job
);

/** Where a group goes: prefix, value and suffix made clean, never out of the prefix's folder; the
 * caller's. NULL when out of memory. */
char *sw_file_group_path(const char *pattern, struct sw_bytes value);

/* ---- file_target.c ---- */

struct target *sw_target_new(const char *path);
void sw_target_free(struct target *target);
SW_CHECKED int sw_target_open(struct sw_file *file, struct target *target);
/** Writes one record, whole or not at all as far as the file allows.
 * @return 0, SW_E_TOO_LARGE, SW_E_SYSTEM (errno) */
SW_CHECKED int
sw_target_write(struct sw_file *file, struct target *target, const struct file_bytes *record);
void sw_target_close(struct target *target);

/* ---- file_rotate.c ---- */

/** The file becomes a backup; old backups go. It is closed. @return 0 or SW_E_SYSTEM */
SW_CHECKED int sw_file_backup(struct sw_file *file, const char *path);
void sw_file_prune(struct sw_file *file, const char *path);
/** mkdir -p of the folder that path lies in. */
void sw_file_make_folder(const char *path, unsigned mode);

#endif
