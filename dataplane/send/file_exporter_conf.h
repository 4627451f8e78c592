/* Configuration of the `file` exporter (contrib v0.159, exporter/fileexporter). */
#ifndef SW_SEND_FILE_EXPORTER_CONF_H
#define SW_SEND_FILE_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"

enum sw_file_format {
    SW_FILE_JSON,
    SW_FILE_PROTO,
};

enum sw_file_compression {
    SW_FILE_PLAIN,
    SW_FILE_ZSTD,
};

struct sw_file_exporter_conf {
    const char *path;
    bool append;
    int format;      /**< enum sw_file_format */
    int compression; /**< enum sw_file_compression */
    struct {
        int64_t level; /**< of zstd; 0: its default */
    } compression_params;
    const char *encoding; /**< extension ID */
    int64_t flush_interval_ns;
    bool create_directory;
    const char *directory_permissions; /**< octal */
    struct {
        bool enabled;
        int64_t max_megabytes; /**< 0: 100 */
        int64_t max_days;      /**< 0: any age */
        int64_t max_backups;   /**< 0: any number */
        bool localtime;
    } rotation;
    struct {
        bool enabled;
        const char *resource_attribute;
        int64_t max_open_files;
    } group_by;
};

extern const struct sw_component sw_file_exporter;

#endif
