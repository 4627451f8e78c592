#include "dataplane/base/mem.h"
#include "storage/journal/page_check_internal.h"

#define MAGIC   0xbeefc0de
#define VERSION 1
// MDB_INTEGERKEY, and MDB_NOSUBDIR: flags of the environment stand with those of the tree of free pages.
#define FLAG_INTEGER_KEY 0x08
#define FLAG_NO_SUBDIR   0x4000
// What an address space has, and far more than a disk.
#define MAP_SIZE_MAX (1ull << 47)
// A thousand commits a second for some hundred million years; the library's sums do not wrap.
#define TXN_ID_MAX (1ull << 62)

int sw_page_damaged(struct page_check *check, uint64_t page, const char *why)
{
    check->report->page = page;
    check->report->why = why;
    return SW_E_MALFORMED;
}

bool sw_page_take(struct page_check *check, uint64_t page, uint64_t count)
{
    if (count == 0) {
        return true;
    }
    if (page < PAGE_METAS || page > check->last_page || count - 1 > check->last_page - page) {
        return false;
    }
    for (uint64_t i = page; i - page < count; i++) {
        uint8_t bit = (uint8_t)(1u << (i % 8));
        if ((check->taken[i / 8] & bit) != 0) {
            return false;
        }
        check->taken[i / 8] |= bit;
    }
    return true;
}

/* ---- meta pages ---- */

static bool root_is_sane(const struct page_tree *tree, uint64_t last_page)
{
    if (tree->root == PAGE_NO_ROOT) {
        return tree->depth == 0 && tree->entries == 0;
    }
    return tree->depth > 0 && tree->root >= PAGE_METAS && tree->root <= last_page;
}

/* What each of the two must have. */
static const char *form_fault(const struct page_meta *meta)
{
    if (meta->magic != MAGIC || meta->version != VERSION || meta->address != 0) {
        return "a meta page is none of the library's";
    }
    if (meta->free.pad != SW_PAGE_BYTES || meta->main.pad != 0) {
        return "a meta page tells of another size of pages";
    }
    return meta->txn_id <= TXN_ID_MAX ? NULL : "a meta page has a transaction that cannot be";
}

/* What the one in use must have. The other may be half written: the library begins with the trees and ends with
 * the transaction, so a process killed within leaves the old transaction and new trees, which nobody reads. */
static const char *meta_fault(const struct page_meta *meta, uint64_t pages)
{
    // The main tree gets its flags with the first transaction.
    if ((meta->free.flags & ~FLAG_NO_SUBDIR) != FLAG_INTEGER_KEY
        || meta->main.flags != (meta->txn_id > 0 ? FLAG_INTEGER_KEY : 0)) {
        return "a meta page has flags that no tree of ours has";
    }
    if (meta->last_page < PAGE_METAS - 1 || meta->last_page >= pages) {
        return "the file is shorter than its pages";
    }
    if (meta->map_size > MAP_SIZE_MAX || meta->map_size / SW_PAGE_BYTES <= meta->last_page) {
        return "a meta page has a size of the map that cannot be";
    }
    if (!root_is_sane(&meta->free, meta->last_page)
        || !root_is_sane(&meta->main, meta->last_page)) {
        return "a meta page has a root that cannot be";
    }
    if (meta->txn_id == 0 && meta->last_page != PAGE_METAS - 1) {
        return "a meta page that was never written has pages";
    }
    return NULL;
}

static int read_meta(struct page_check *check, uint64_t page, struct page_meta *ret_meta)
{
    struct page_head head = page_head(check, page);
    memcpy(ret_meta, page_at(check, page) + PAGE_HEAD_SIZE, sizeof(*ret_meta));
    if (head.number != page || head.flags != PAGE_META) {
        return sw_page_damaged(check, page, "the head of a meta page is wrong");
    }
    const char *fault = form_fault(ret_meta);
    return fault == NULL ? SW_OK : sw_page_damaged(check, page, fault);
}

/* Transaction N writes meta page N % 2: the other one is of transaction N - 1. Both are of transaction 0, on
 * either page, before the first. */
static int pick_meta(struct page_check *check, struct page_meta *ret_meta)
{
    struct page_meta metas[PAGE_METAS];
    for (unsigned i = 0; i < PAGE_METAS; i++) {
        int err = read_meta(check, i, &metas[i]);
        if (err != SW_OK) {
            return err;
        }
    }
    unsigned newer = metas[0].txn_id < metas[1].txn_id;
    const struct page_meta *meta = &metas[newer];
    const struct page_meta *other = &metas[!newer];
    if (meta->txn_id > 0
        && (meta->txn_id % PAGE_METAS != newer || other->txn_id != meta->txn_id - 1)) {
        return sw_page_damaged(check, newer, "the transactions of the meta pages do not follow");
    }
    *ret_meta = *meta;
    const char *fault = meta_fault(meta, check->file.size / SW_PAGE_BYTES);
    return fault == NULL ? SW_OK : sw_page_damaged(check, newer, fault);
}

/* ---- free pages ---- */

/* A count, then so many page numbers, the highest first. There may be room behind them. */
static int check_free_list(struct page_check *check, uint64_t page, struct sw_bytes value)
{
    if (value.size < sizeof(uint64_t) || value.size % sizeof(uint64_t) != 0) {
        return sw_page_damaged(check, page, "a list of free pages has no size");
    }
    uint64_t count = page_u64(value.data);
    if (count > value.size / sizeof(uint64_t) - 1) {
        return sw_page_damaged(check, page, "a list of free pages is longer than its record");
    }
    uint64_t last = UINT64_MAX;
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t number = page_u64(value.data + i * sizeof(uint64_t));
        if (number >= last) {
            return sw_page_damaged(check, page, "a list of free pages is out of order");
        }
        if (!sw_page_take(check, number, 1)) {
            return sw_page_damaged(check, page, "a free page is in use, or none");
        }
        last = number;
    }
    check->report->free_pages += count;
    return SW_OK;
}

/* ---- the file ---- */

static int check_file(struct page_check *check)
{
    struct page_meta meta;
    int err = pick_meta(check, &meta);
    if (err != SW_OK) {
        return err;
    }
    check->report->txn_id = meta.txn_id;
    check->report->last_page = meta.last_page;
    check->report->records = meta.main.entries;
    check->last_page = meta.last_page;
    // The file has that many pages: a bit for each of them is a small part of it.
    check->taken = sw_zalloc((size_t)(meta.last_page / 8 + 1));
    if (check->taken == NULL) {
        return SW_E_NOMEM;
    }
    err = sw_page_tree_check(check, &meta.main, 0, UINT64_MAX, NULL);
    if (err == SW_OK) {
        // A record's key is the transaction that freed its pages; 0 stands for none in the library.
        check->last_key = 0;
        err = sw_page_tree_check(check, &meta.free, 1, meta.txn_id, check_free_list);
        check->report->freed_by = check->last_key;
    }
    sw_free(check->taken);
    return err;
}

int sw_page_check(struct sw_bytes file, struct sw_page_report *ret_report)
{
    struct sw_page_report report = {0};
    struct page_check check = {.file = file, .report = &report};
    int err;
    if (file.size < (size_t)PAGE_METAS * SW_PAGE_BYTES) {
        err = sw_page_damaged(&check, 0, "the file has no two meta pages");
    } else {
        err = check_file(&check);
    }
    *ret_report = report;
    return err;
}
