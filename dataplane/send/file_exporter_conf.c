#include "dataplane/send/file_exporter_conf.h"

#include "dataplane/send/file_exporter.h"

#include <string.h>

static const char *const format_words[] = {"json", "proto", NULL};
static const char *const compression_words[] = {"", "zstd", NULL};

typedef __typeof__(((struct sw_file_exporter_conf *)0)->rotation) rotation_conf;
typedef __typeof__(((struct sw_file_exporter_conf *)0)->group_by) group_conf;
typedef __typeof__(((struct sw_file_exporter_conf *)0)->compression_params) params_conf;

// clang-format off
static const struct sw_field rotation_fields[] = {
    SW_INT("max_megabytes", rotation_conf, max_megabytes, "0",
           "a file becomes a backup before it is larger; 0 is 100"),
    SW_INT("max_days", rotation_conf, max_days, "0", "backups older than this go; 0 never"),
    SW_INT("max_backups", rotation_conf, max_backups, "100", "backups that are kept; 0 all"),
    SW_BOOL("localtime", rotation_conf, localtime, "false",
            "names of backups have local time instead of UTC"),
    SW_FIELD_END,
};

static const struct sw_field group_fields[] = {
    SW_BOOL("enabled", group_conf, enabled, "false", "a file for each value of an attribute"),
    SW_STRING("resource_attribute", group_conf, resource_attribute, "fileexporter.path_segment",
              "its value stands for the * of path"),
    SW_INT("max_open_files", group_conf, max_open_files, "100", "files open at once"),
    SW_FIELD_END,
};

static const struct sw_field params_fields[] = {
    SW_INT("level", params_conf, level, "0", "of zstd; 0 is its default"),
    SW_FIELD_END,
};

static const struct sw_field exporter_fields[] = {
    SW_STRING("path", struct sw_file_exporter_conf, path, NULL, "file to write to"),
    SW_BOOL("append", struct sw_file_exporter_conf, append, "false",
            "write behind what is there; else the file begins anew"),
    SW_OPTIONAL("rotation", struct sw_file_exporter_conf, rotation, rotation_fields,
                "files become backups", .flags = SW_FIELD_BARE | SW_FIELD_OMIT),
    SW_ENUM("format", struct sw_file_exporter_conf, format, format_words, "json", "json or proto"),
    SW_ID("encoding", struct sw_file_exporter_conf, encoding, "extension that encodes instead",
          .support = SW_NOT_YET, .flags = SW_FIELD_OMIT),
    SW_ENUM("compression", struct sw_file_exporter_conf, compression, compression_words, NULL,
            "zstd or none"),
    SW_STRUCT("compression_params", struct sw_file_exporter_conf, compression_params, params_fields,
              "how hard to compress", .flags = SW_FIELD_OMIT),
    SW_DURATION("flush_interval", struct sw_file_exporter_conf, flush_interval_ns, "1s",
                "the longest that records may wait in memory", .support = SW_NO_EFFECT,
                .note = "records go to the file at once, and senders hear after that"),
    SW_STRUCT("group_by", struct sw_file_exporter_conf, group_by, group_fields,
              "a file for each value of a resource attribute"),
    SW_BOOL("create_directory", struct sw_file_exporter_conf, create_directory, "false",
            "make the folder of path at start"),
    SW_STRING("directory_permissions", struct sw_file_exporter_conf, directory_permissions, NULL,
              "of folders that are made, octal; empty is 0755"),
    SW_FIELD_END,
};
// clang-format on

static void complain(struct sw_check *check, const char *key, const char *text)
{
    sw_complain(check, SW_COMPLAINT_ERROR, key, "%s", text);
}

static void group_check(const struct sw_file_exporter_conf *conf, struct sw_check *check)
{
    const char *star = strchr(conf->path, '*');
    if (!conf->group_by.enabled) {
        return;
    }
    if (star == NULL || strchr(star + 1, '*') != NULL) {
        complain(check, "path", "path must contain exactly one * when group_by is enabled");
    } else if (star == conf->path) {
        complain(check, "path", "path must not start with * when group_by is enabled");
    }
    if (conf->group_by.resource_attribute[0] == '\0') {
        complain(
            check,
            "group_by::resource_attribute",
            "resource_attribute must not be empty when group_by is enabled"
        );
    }
    if (conf->group_by.max_open_files <= 0) {
        complain(check, "group_by::max_open_files", "must provide a positive size");
    }
}

static void folder_check(const struct sw_file_exporter_conf *conf, struct sw_check *check)
{
    const char *text = conf->directory_permissions;
    unsigned mode = 0;
    if (!conf->create_directory) {
        if (text[0] != '\0') {
            complain(
                check,
                "directory_permissions",
                "directory_permissions requires create_directory to be true"
            );
        }
        return;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '7') {
            complain(
                check,
                "directory_permissions",
                "directory_permissions value must be a valid octal representation"
            );
            return;
        }
        mode = mode * 8 + (unsigned)(*at - '0');
        if (mode > 0777) {
            complain(
                check,
                "directory_permissions",
                "directory_permissions contain invalid bits for file access"
            );
            return;
        }
    }
}

static void exporter_check(void *section, struct sw_check *check)
{
    const struct sw_file_exporter_conf *conf = section;
    if (conf->path[0] == '\0') {
        complain(check, NULL, "path must be non-empty");
    }
    if (conf->append && conf->compression != SW_FILE_PLAIN) {
        complain(
            check, "append", "append and compression enabled at the same time is not supported"
        );
    }
    if (conf->append && conf->rotation.enabled) {
        complain(check, "append", "append and rotation enabled at the same time is not supported");
    }
    if (conf->flush_interval_ns < 0) {
        complain(check, "flush_interval", "flush_interval must be larger than zero");
    }
    if (conf->compression == SW_FILE_PLAIN && conf->compression_params.level != 0) {
        complain(check, "compression_params::level", "needs a compression");
    }
    if (conf->rotation.max_megabytes < 0 || conf->rotation.max_days < 0
        || conf->rotation.max_backups < 0) {
        complain(check, "rotation", "numbers must not be negative");
    }
    group_check(conf, check);
    folder_check(conf, check);
}

const struct sw_component sw_file_exporter = {
    .kind = SW_EXPORTER,
    .type = "file",
    .fields = exporter_fields,
    .conf_size = sizeof(struct sw_file_exporter_conf),
    .check = exporter_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "alpha",
    .module = "dataplane/send",
    .help = "writes what it gets to files",
    .ops = &sw_file_exporter_class,
};
