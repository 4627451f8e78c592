/* A look into the store of a process that has stopped. Nothing is changed, not even a lock file is made; the lock is
 * held while it is open. Pages are checked before the library sees them. Any thread, one at a time. */
#ifndef SW_JOURNAL_INSPECT_H
#define SW_JOURNAL_INSPECT_H

#include "storage/journal/record.h"

struct sw_inspect;

struct sw_inspect_queue {
    unsigned number;
    char exporter[SW_RECORD_ID_MAX + 1];
    enum sw_signal signal;
    uint64_t requests;
    uint64_t items;
    uint64_t bytes;
    uint64_t under_way;      /**< read and not done with when the process ended */
    uint64_t oldest_wall_ns; /**< when the first one was taken in; 0: there is none */
};

/** @param path  the data file, spanweir_ID.mdb
 * @return 0; SW_E_NOMEM; SW_E_MALFORMED (its pages are damaged); SW_E_REFUSED (a process holds it);
 *         SW_E_UNSUPPORTED (a newer format); SW_E_STORAGE; `error` says more */
SW_CHECKED int
sw_inspect_open(const char *path, struct sw_inspect **ret_inspect, char *error, size_t error_size);
/** NULL is legal. */
void sw_inspect_close(struct sw_inspect *inspect);

/** The next queue behind number *number, which starts with 0. @return false: there are no more */
bool sw_inspect_queue(
    struct sw_inspect *inspect,
    unsigned *number,
    struct sw_inspect_queue *ret_queue
);

/** The next record of a queue from *seq on, which then is behind it.
 *
 * @param ret_record  its ranges lie in the file until that is closed
 * @return 0; SW_E_NOT_FOUND: there are no more; SW_E_MALFORMED: this one is damaged (seq says which) */
SW_CHECKED int sw_inspect_next(
    struct sw_inspect *inspect,
    unsigned number,
    uint64_t *seq,
    struct sw_record *ret_record
);

/** Records that can be found in a file whose pages are damaged. @return SW_E_STORAGE: it cannot be read */
SW_CHECKED int sw_inspect_salvageable(const char *path, uint64_t *ret_records);

/** The ID of the extension that a data file is of, from its name. @return false: that is no data file's */
bool sw_inspect_id(const char *name, char *ret_id, size_t size);

#endif
