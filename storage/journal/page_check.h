/* Is a file safe for liblmdb? The library trusts its pages and crashes on some that were changed (tried with
 * 0.9.24), so every page is walked here before the file is opened with it: the meta page in use, the tree of records,
 * the tree of free pages, the heads of overflow pages.
 *
 * A file of the store has one tree of its own, the library's main one, with keys of eight bytes
 * (MDB_INTEGERKEY) and no named databases; pages of 4096 bytes. What differs is damage.
 *
 * Facts of the form: lmdb 0.9.24, mdb.c (MDB_meta, MDB_page, MDB_node, MDB_db), data version 1, 64-bit
 * little-endian.
 */
#ifndef SW_JOURNAL_PAGE_CHECK_H
#define SW_JOURNAL_PAGE_CHECK_H

#include "dataplane/base/err.h"
#include "dataplane/otlp/protobuf.h"

#include <stdint.h>

#define SW_PAGE_BYTES 4096

struct sw_page_report {
    uint64_t txn_id;     /**< of the meta page that the library will use */
    uint64_t last_page;  /**< the highest page in use */
    uint64_t records;    /**< entries of the tree */
    uint64_t free_pages; /**< in the tree of free pages */
    uint64_t freed_by;   /**< the last transaction that freed pages; 0: none */
    uint64_t page;       /**< where the damage is */
    const char *why;     /**< what it is, constant text; NULL: the file is sound */
};

/** Walks the file, which is mapped or read into memory and does not change meanwhile.
 *
 * @return 0 (sound), SW_E_MALFORMED (report says where and why), SW_E_NOMEM
 */
SW_CHECKED int sw_page_check(struct sw_bytes file, struct sw_page_report *ret_report);

#endif
