/* Marks that stand outside of the tree of records: a small file beside it, written after each commit and each
 * hand-out. They survive `kill -9`, and are newer or older than the tree after the loss of power, which those
 * who read them must stand.
 *
 * What for: the last transaction shows that the tree was set back; `released_below` keeps salvage from bringing
 * back what was delivered; `dispatched` tells how many requests were under way when the process ended.
 *
 * Form: a head of 64 bytes and 64 bytes for each queue number, each with a CRC-32C in front. */
#ifndef SW_JOURNAL_HEADS_H
#define SW_JOURNAL_HEADS_H

#include "storage/journal/journal.h"

struct sw_head {
    bool valid;
    uint64_t id_sum;         /**< of exporter and signal: numbers are lost with the tree */
    uint64_t released_below; /**< all records of smaller sequence numbers are released */
    uint64_t dispatched;     /**< the highest sequence number that was handed out */
};

struct sw_heads {
    int fd; /**< -1: none */
    bool valid;
    uint64_t txn_id;
    struct sw_head queues[SW_STORE_QUEUES_MAX + 1]; /**< by number */
    unsigned queues_count;                          /**< highest number in use, plus one */
};

/** Opens or makes the file and reads what is right in it; what is not is as if it were not there.
 * @return 0 or SW_E_STORAGE (errno says why) */
SW_CHECKED int sw_heads_open(struct sw_heads *heads, const char *path);
/** Reads it and keeps nothing open. */
SW_CHECKED int sw_heads_read(struct sw_heads *heads, const char *path);
uint64_t sw_heads_id_sum(const char *exporter, enum sw_signal signal);
/** A failure is none: the marks only get older. */
void sw_heads_write(struct sw_heads *heads);
void sw_heads_close(struct sw_heads *heads);

#endif
