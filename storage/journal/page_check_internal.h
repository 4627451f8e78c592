/* The page checker's own view of an LMDB file: lmdb.h shows nothing of the layout. Sizes and places as in
 * lmdb 0.9.24, mdb.c (MDB_meta, MDB_db, MDB_page, MDB_node). */
#ifndef SW_JOURNAL_PAGE_CHECK_INTERNAL_H
#define SW_JOURNAL_PAGE_CHECK_INTERNAL_H

#include "storage/journal/page_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "files are read as this machine writes them"
);

#define PAGE_METAS     2
#define PAGE_NO_ROOT   UINT64_MAX
#define PAGE_HEAD_SIZE 16
#define PAGE_KEY_SIZE  8

enum {
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_META = 8,
};

struct page_head {
    uint64_t number;
    uint16_t pad;
    uint16_t flags;
    uint16_t lower; /**< of an overflow page: the low half of its count of pages */
    uint16_t upper; /**< and the high half */
};
_Static_assert(sizeof(struct page_head) == PAGE_HEAD_SIZE, "as MDB_page");

struct page_tree {
    uint32_t pad; /**< tree of free pages: size of a page */
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
};
_Static_assert(sizeof(struct page_tree) == 48, "as MDB_db");

struct page_meta {
    uint32_t magic;
    uint32_t version;
    uint64_t address;
    uint64_t map_size;
    struct page_tree free;
    struct page_tree main;
    uint64_t last_page;
    uint64_t txn_id;
};
_Static_assert(sizeof(struct page_meta) == 136, "as MDB_meta");

struct page_check {
    struct sw_bytes file;
    uint64_t last_page;
    uint8_t
        *taken; /**< a bit for each page up to last_page: in a tree, or in the list of free pages */
    uint64_t last_key; /**< of the record that was walked last */
    struct sw_page_report *report;
    uint16_t
        node_size[SW_PAGE_BYTES / 2]; /**< of the nodes that begin there; zeros between two pages */
};

/** Called for each record of a tree, in the order of keys. @return as sw_page_damaged */
typedef int page_record_fn(struct page_check *check, uint64_t page, struct sw_bytes value);

/** Puts the damage into the report. @return SW_E_MALFORMED */
SW_CHECKED int sw_page_damaged(struct page_check *check, uint64_t page, const char *why);

/** Takes count pages from page on. @return false: one is outside of the file's pages, or taken already */
bool sw_page_take(struct page_check *check, uint64_t page, uint64_t count);

/** Walks a tree, whose keys must lie in [low, high]. The caller has compared head with the file's form. */
SW_CHECKED int sw_page_tree_check(
    struct page_check *check,
    const struct page_tree *tree,
    uint64_t low,
    uint64_t high,
    page_record_fn *record
);

/** Holds the nodes of a page that has a sound head against its bounds and against each other. */
SW_CHECKED int
sw_page_nodes_check(struct page_check *check, uint64_t page, const struct page_head *head);

/* ---- reading ---- */

static inline const uint8_t *page_at(const struct page_check *check, uint64_t page)
{
    return check->file.data + page * SW_PAGE_BYTES;
}

static inline struct page_head page_head(const struct page_check *check, uint64_t page)
{
    struct page_head head;
    memcpy(&head, page_at(check, page), sizeof(head));
    return head;
}

static inline unsigned page_nodes_count(const struct page_head *head)
{
    return (unsigned)(head->lower - PAGE_HEAD_SIZE) / 2;
}

static inline uint64_t page_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

enum {
    NODE_HEAD_SIZE = 8,
    NODE_BIG = 1, /**< the value stands on overflow pages, the node has the first one's number */
};

struct page_node {
    uint64_t child;      /**< in a branch page */
    uint32_t value_size; /**< in a leaf page, and the flags */
    uint16_t flags;
    uint16_t key_size;
};

static inline const uint8_t *page_node_at(const uint8_t *page, unsigned index)
{
    uint16_t offset;
    memcpy(&offset, page + PAGE_HEAD_SIZE + 2 * (size_t)index, sizeof(offset));
    return page + offset;
}

// A branch has the child's number in six bytes, a leaf the value's size in four of them and flags.
static inline struct page_node page_node(const uint8_t *at)
{
    uint64_t word = page_u64(at);
    return (struct page_node){
        .child = word & 0xffffffffffff,
        .value_size = (uint32_t)word,
        .flags = (uint16_t)(word >> 32),
        .key_size = (uint16_t)(word >> 48),
    };
}

#endif
