/* Configuration of the extension `file_storage` (Collector v0.159, contrib extension/storage/filestorage). */
#ifndef SW_JOURNAL_FILE_STORAGE_CONF_H
#define SW_JOURNAL_FILE_STORAGE_CONF_H

#include "dataplane/pipeline/component.h"
#include "storage/journal/journal.h"

struct sw_file_storage_conf {
    const char *directory;
    int64_t timeout_ns;
    bool fsync;
    bool create_directory;
    const char *directory_permissions; /**< octal */
    bool recreate;
    int64_t max_size;          /**< bytes; 0: none */
    int64_t max_file_size_mib; /**< older spelling of max_size */
    struct {
        bool on_start;
        bool on_rebound;
        const char *directory;
        int64_t max_transaction_size;
        int64_t rebound_needed_threshold_mib;
        int64_t rebound_trigger_threshold_mib;
        int64_t check_interval_ns;
        bool cleanup_on_start;
    } compaction;
};

extern const struct sw_component sw_file_storage;

/** What the store is to be like. */
struct sw_store_conf sw_file_storage_store(const char *id, const struct sw_file_storage_conf *conf);

#endif
