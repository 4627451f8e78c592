/* Hash -> number of a trace. Extendible hashing over pages of 4 KiB: growing splits one page at a
 * time, so there is no stop however large the table becomes, and nothing is allocated ahead. Hashes
 * are keyed, nobody outside can aim at one page. */
#include "dataplane/base/mem.h"
#include "sampling/assemble/assemble_internal.h"

// Linear probing stays short below this.
#define PAGE_MOST (INDEX_SLOTS * 85 / 100)
// Two hashes that agree in so many upper bits will not be told apart by one more page.
#define DEPTH_MAX 26u

static struct index_page *page_new(struct trace_index *index, uint32_t depth)
{
    struct index_page *page = sw_aligned_alloc(64, sizeof(*page));
    if (page == NULL) {
        return NULL;
    }
    memset(page, 0, sizeof(*page));
    page->depth = depth;
    index->pages_count++;
    sw_account_charge(index->account, sizeof(*page));
    return page;
}

int sw_trace_index_init(struct trace_index *index, struct sw_account *account)
{
    *index = (struct trace_index){.account = account};
    index->pages = sw_alloc(sizeof(struct index_page *));
    struct index_page *page = index->pages != NULL ? page_new(index, 0) : NULL;
    if (page == NULL) {
        return SW_E_NOMEM;
    }
    index->pages[0] = page;
    return SW_OK;
}

void sw_trace_index_fini(struct trace_index *index)
{
    if (index->pages_count == 0) {
        sw_free(index->pages);
        return;
    }
    size_t count = (size_t)1 << index->depth;
    for (size_t i = 0; i < count;) {
        struct index_page *page = index->pages[i];
        i += (size_t)1 << (index->depth - page->depth);
        sw_free(page);
    }
    sw_account_charge(
        index->account, -(int64_t)index->pages_count * (int64_t)sizeof(*index->pages[0])
    );
    sw_free(index->pages);
}

uint64_t sw_trace_index_bytes(const struct trace_index *index)
{
    return index->pages_count * (uint64_t)sizeof(struct index_page)
           + ((uint64_t)sizeof(struct index_page *) << index->depth);
}

static void page_insert(struct index_page *page, uint32_t hash, uint32_t number)
{
    uint32_t at = index_home(hash);
    while (page->slots[at].number != 0) {
        at = index_next(at);
    }
    page->slots[at] = (struct index_slot){hash, number};
    page->count++;
}

static int double_pages(struct trace_index *index)
{
    size_t count = (size_t)1 << index->depth;
    struct index_page **pages = sw_alloc(2 * count * sizeof(*pages));
    if (pages == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        pages[2 * i] = index->pages[i];
        pages[2 * i + 1] = index->pages[i];
    }
    sw_free(index->pages);
    index->pages = pages;
    index->depth++;
    return SW_OK;
}

static int split(struct trace_index *index, uint32_t hash)
{
    struct index_page *old = index_page(index, hash);
    if (old->depth == DEPTH_MAX) {
        return SW_E_NOMEM;
    }
    if (old->depth == index->depth && double_pages(index) != SW_OK) {
        return SW_E_NOMEM;
    }
    struct index_page *upper = page_new(index, old->depth + 1);
    if (upper == NULL) {
        return SW_E_NOMEM;
    }
    struct index_slot slots[INDEX_SLOTS];
    memcpy(slots, old->slots, sizeof(slots));
    memset(old->slots, 0, sizeof(old->slots));
    old->count = 0;
    old->depth++;
    for (uint32_t i = 0; i < INDEX_SLOTS; i++) {
        if (slots[i].number != 0) {
            bool up = (slots[i].hash >> (32 - old->depth) & 1) != 0;
            page_insert(up ? upper : old, slots[i].hash, slots[i].number);
        }
    }
    // The directory's entries for the old page are neighbours; the upper half of them names the new
    // one.
    size_t span = (size_t)1 << (index->depth - old->depth);
    size_t first = ((uint64_t)hash >> (32 - index->depth)) & ~(2 * span - 1);
    for (size_t i = 0; i < span; i++) {
        index->pages[first + span + i] = upper;
    }
    return SW_OK;
}

int sw_trace_index_reserve(struct trace_index *index, uint32_t hash)
{
    while (index_page(index, hash)->count >= PAGE_MOST) {
        int err = split(index, hash);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

void sw_trace_index_insert(struct trace_index *index, uint32_t hash, uint32_t number)
{
    SW_DASSERT(number != 0);
    page_insert(index_page(index, hash), hash, number);
}

/* Those behind the gap that it would hide move up. */
static void close_gap(struct index_page *page, uint32_t gap)
{
    for (uint32_t at = index_next(gap); page->slots[at].number != 0; at = index_next(at)) {
        uint32_t home = index_home(page->slots[at].hash);
        uint32_t from_home = at >= home ? at - home : at + INDEX_SLOTS - home;
        uint32_t from_gap = at >= gap ? at - gap : at + INDEX_SLOTS - gap;
        if (from_home >= from_gap) {
            page->slots[gap] = page->slots[at];
            gap = at;
        }
    }
    page->slots[gap] = (struct index_slot){0, 0};
}

void sw_trace_index_remove(struct trace_index *index, uint32_t hash, uint32_t number)
{
    struct index_page *page = index_page(index, hash);
    uint32_t at = index_home(hash);
    while (page->slots[at].number != number) {
        SW_ASSERT(page->slots[at].number != 0);
        at = index_next(at);
    }
    close_gap(page, at);
    page->count--;
}
