#include "storage/journal/file_storage_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MIB INT64_C(1048576)

typedef __typeof__(((struct sw_file_storage_conf *)0)->compaction) compaction_conf;

#define NO_COMPACTION                                                                              \
    .support = SW_NO_EFFECT,                                                                       \
    .note = "the file uses its pages again and is bounded by max_size; nothing is copied"

// clang-format off
static const struct sw_field compaction_fields[] = {
    SW_BOOL("on_start", compaction_conf, on_start, "false", "copy the file at start", NO_COMPACTION),
    SW_BOOL("on_rebound", compaction_conf, on_rebound, "false", "copy the file when it has emptied",
            NO_COMPACTION),
    SW_STRING("directory", compaction_conf, directory, NULL, "of the copy", NO_COMPACTION),
    SW_INT("max_transaction_size", compaction_conf, max_transaction_size, "65536",
           "of the copy", NO_COMPACTION),
    SW_INT("rebound_needed_threshold_mib", compaction_conf, rebound_needed_threshold_mib, "100",
           "size from which on it is worth it", NO_COMPACTION),
    SW_INT("rebound_trigger_threshold_mib", compaction_conf, rebound_trigger_threshold_mib, "10",
           "use below which it begins", NO_COMPACTION),
    SW_DURATION("check_interval", compaction_conf, check_interval_ns, "5s", "how often it is looked at",
                NO_COMPACTION),
    SW_BOOL("cleanup_on_start", compaction_conf, cleanup_on_start, "false",
            "delete copies that were left behind", NO_COMPACTION),
    SW_FIELD_END,
};

static const struct sw_field file_storage_fields[] = {
    SW_STRING("directory", struct sw_file_storage_conf, directory, "/var/lib/otelcol/file_storage",
              "of the files"),
    SW_DURATION("timeout", struct sw_file_storage_conf, timeout_ns, "1s",
                "how long to wait for another process to let go of them"),
    SW_BOOL("fsync", struct sw_file_storage_conf, fsync, "false",
            "on the disk before a sender hears: survives the loss of power, not only of the process"),
    SW_BOOL("create_directory", struct sw_file_storage_conf, create_directory, "false",
            "make the directory at start"),
    SW_STRING("directory_permissions", struct sw_file_storage_conf, directory_permissions, "0750",
              "of a directory that is made, octal"),
    SW_BOOL("recreate", struct sw_file_storage_conf, recreate, "false",
            "begin a new file when it is damaged", .support = SW_NO_EFFECT,
            .note = "a damaged file is always put aside, and what can be read of it is kept"),
    SW_INT("max_size", struct sw_file_storage_conf, max_size, "0",
           "of the file; a full one refuses; 0: what the disk holds; at least 4 MiB", .unit = "bytes"),
    SW_INT("max_file_size_mib", struct sw_file_storage_conf, max_file_size_mib, "0",
           "as max_size", .unit = "MiB", .flags = SW_FIELD_OLD | SW_FIELD_OMIT,
           .note = "write max_size, in bytes"),
    SW_STRUCT("compaction", struct sw_file_storage_conf, compaction, compaction_fields,
              "making the file smaller"),
    SW_FIELD_END,
};
// clang-format on

static void complain(struct sw_check *check, const char *text)
{
    sw_complain(check, SW_COMPLAINT_ERROR, NULL, "%s", text);
}

static void check_directory(const struct sw_file_storage_conf *conf, struct sw_check *check)
{
    struct stat stat_;
    if (conf->create_directory) {
        return;
    }
    if (stat(conf->directory, &stat_) != 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            errno == ENOENT
                ? "directory must exist: stat %s: %s. "
                  "You can enable the create_directory option to automatically create it"
                : "problem accessing configured directory: %s, err: %s",
            conf->directory,
            errno == ENOENT ? "no such file or directory" : strerror(errno)
        );
    } else if (!S_ISDIR(stat_.st_mode)) {
        sw_complain(check, SW_COMPLAINT_ERROR, NULL, "%s is not a directory", conf->directory);
    }
}

static void check_permissions(const struct sw_file_storage_conf *conf, struct sw_check *check)
{
    char *end;
    unsigned long mode = strtoul(conf->directory_permissions, &end, 8);
    if (!conf->create_directory) {
        return;
    }
    if (conf->directory_permissions[0] == '\0' || *end != '\0') {
        complain(check, "directory_permissions value must be a valid octal representation");
    } else if ((mode & 0777ul) != mode) {
        complain(check, "directory_permissions contain invalid bits for file access");
    }
}

static void file_storage_check(void *section, struct sw_check *check)
{
    struct sw_file_storage_conf *conf = section;
    check_directory(conf, check);
    check_permissions(conf, check);
    if (conf->timeout_ns < 0) {
        complain(check, "timeout must not be negative");
    }
    if (conf->max_size < 0 || conf->max_file_size_mib < 0
        || conf->max_file_size_mib > INT64_MAX / MIB) {
        complain(check, "max_size must not be negative");
    }
    if (check->given(check, "max_size") && check->given(check, "max_file_size_mib")) {
        complain(check, "max_file_size_mib is an older spelling of max_size: write one of them");
    }
    if (conf->compaction.max_transaction_size < 0) {
        complain(check, "max transaction size for compaction cannot be less than 0");
    }
    if (conf->compaction.on_rebound && conf->compaction.check_interval_ns <= 0) {
        complain(
            check, "compaction check interval must be positive when rebound compaction is set"
        );
    }
}

const struct sw_component sw_file_storage = {
    .kind = SW_EXTENSION,
    .type = "file_storage",
    .fields = file_storage_fields,
    .conf_size = sizeof(struct sw_file_storage_conf),
    .check = file_storage_check,
    .stability = "beta",
    .module = "storage/journal",
    .help = "files in which queues survive a restart",
};

struct sw_store_conf sw_file_storage_store(const char *id, const struct sw_file_storage_conf *conf)
{
    int64_t old = conf->max_file_size_mib * MIB;
    return (struct sw_store_conf){
        .id = id,
        .directory = conf->directory,
        .create_directory = conf->create_directory,
        .directory_mode = (unsigned)strtoul(conf->directory_permissions, NULL, 8),
        .timeout_ns = (uint64_t)conf->timeout_ns,
        .fsync = conf->fsync,
        .max_bytes = (uint64_t)(conf->max_size > 0 ? conf->max_size : old),
    };
}
