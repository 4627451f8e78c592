/* Files that telemetry is written to: an actor with a mailbox, so that no core ever waits for a disk.
 *
 * A core sends a job, which lends a batch; the actor encodes it (OTLP/JSON or protobuf, zstd perhaps),
 * writes it as one record and gives the job back with the result. What was given back without an error
 * is in the kernel's hands. The thread around the actor is the service's; tests step it by hand.
 *
 * Form of the files: the Collector's file exporter (contrib v0.159): a JSON object a line; protobuf, and
 * whatever is compressed, behind a length of four bytes, big-endian. Rotation: lumberjack v2.
 */
#ifndef SW_FILES_FILES_H
#define SW_FILES_FILES_H

#include "dataplane/base/buf.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/protobuf.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_files;
struct sw_file;

#define SW_FILE_WHY_MAX 256

/** Texts live as long as the file. */
struct sw_file_conf {
    const char *id;   /**< component; its signals share the file of a path */
    const char *path; /**< with group_attribute: one '*' stands for the value */
    bool append;
    bool text; /**< what jobs bring is written as it is; "stdout" and "stderr" are no files */
    bool json; /**< else protobuf */
    bool zstd;
    int level; /**< of zstd, 0: its default */
    bool create_directory;
    unsigned directory_mode;
    bool rotate;
    uint64_t max_bytes;
    uint32_t max_days;    /**< 0: any age */
    uint32_t max_backups; /**< 0: any number */
    bool local_time;
    const char *group_attribute; /**< resources go to files of their own by it; NULL: one file */
    uint32_t open_max;           /**< files open at once when grouped */
};

/** One request on its way to a file; the sender's memory. */
struct sw_file_job {
    struct sw_message message; /**< `returned` is the sender's */
    struct sw_file *file;
    const struct sw_batch *batch; /**< nobody else may touch it until the job is back */
    struct sw_bytes text;         /**< instead, where the file is for text; likewise */
    /* The result. */
    int err;
    uint32_t skipped_count; /**< resources without the attribute to group by */
    char why[SW_FILE_WHY_MAX];
};

/** Control thread. `index` is the actor's mailbox in post. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_files_new(
    struct sw_post *post,
    unsigned index,
    struct sw_account *account,
    struct sw_files **ret_files
);

/** Files closed, actor and senders at rest. NULL is legal. */
void sw_files_free(struct sw_files *files);

/** The file of a component; made by the first signal that asks. Nothing is opened. Control thread.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int
sw_files_add(struct sw_files *files, const struct sw_file_conf *conf, struct sw_file **ret_file);
/** One signal less; the last one forgets the file. The actor is at rest. NULL is legal. */
void sw_files_remove(struct sw_file *file);

/** Are there any files? Without them the actor needs no thread. */
bool sw_files_any(const struct sw_files *files);

/** Opens what is not grouped, before the actor runs.
 * @return 0, or SW_E_SYSTEM with the component and the reason in `error` */
SW_CHECKED int sw_files_open(struct sw_files *files, char *error, size_t error_size);

/** Does what has been sent. Actor. @return messages */
unsigned sw_files_poll(struct sw_files *files, uint64_t wall_ns);

/** Closes all files. Actor, or after it has ended. */
void sw_files_close(struct sw_files *files);

/** For the thread around: when to sleep, and on what. */
struct sw_mailbox *sw_files_mailbox(struct sw_files *files);

/** Sender's core. */
void sw_file_send(struct sw_mailbox *from, struct sw_file_job *job);

#endif
