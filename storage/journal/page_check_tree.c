#include "storage/journal/page_check_internal.h"

// CURSOR_STACK of mdb.c.
#define DEPTH_MAX 32

/* A branch page on the way to where the walk stands. */
struct frame {
    uint64_t page;
    unsigned index; /**< the child that is next */
    unsigned count;
    uint64_t low; /**< keys below it lie in [low, high] */
    uint64_t high;
};

struct walk {
    struct page_check *check;
    const struct page_tree *tree;
    page_record_fn *record;
    struct page_tree seen; /**< what was counted */
    unsigned depth;        /**< frames in use */
    struct frame frames[DEPTH_MAX];
};

/* ---- records ---- */

static int overflow_value(
    struct walk *walk,
    uint64_t leaf,
    uint64_t page,
    uint32_t size,
    struct sw_bytes *ret_value
)
{
    struct page_check *check = walk->check;
    if (!sw_page_take(check, page, 1)) {
        return sw_page_damaged(check, leaf, "a large value is on a page that is in use, or none");
    }
    struct page_head head = page_head(check, page);
    uint64_t count = head.lower | (uint64_t)head.upper << 16;
    if (head.number != page || head.flags != PAGE_OVERFLOW) {
        return sw_page_damaged(check, page, "the head of a large value's page is wrong");
    }
    // There may be more than the value needs: one that was replaced by a smaller one in the same
    // transaction keeps its pages, and so does a list of free pages that got shorter.
    if (count * SW_PAGE_BYTES < PAGE_HEAD_SIZE + (uint64_t)size) {
        return sw_page_damaged(check, page, "a large value has too few pages");
    }
    if (!sw_page_take(check, page + 1, count - 1)) {
        return sw_page_damaged(check, page, "the pages of a large value are in use, or none");
    }
    walk->seen.overflow_pages += count;
    *ret_value = (struct sw_bytes){page_at(check, page) + PAGE_HEAD_SIZE, size};
    return SW_OK;
}

static int check_record(struct walk *walk, uint64_t page, const uint8_t *at)
{
    struct page_node node = page_node(at);
    const uint8_t *data = at + NODE_HEAD_SIZE + PAGE_KEY_SIZE;
    struct sw_bytes value = {data, node.value_size};
    int err = SW_OK;
    if (node.flags == NODE_BIG) {
        err = overflow_value(walk, page, page_u64(data), node.value_size, &value);
    }
    if (err == SW_OK && walk->record != NULL) {
        err = walk->record(walk->check, page, value);
    }
    walk->seen.entries++;
    return err;
}

static int check_leaf(struct walk *walk, uint64_t page, unsigned count, uint64_t low, uint64_t high)
{
    const uint8_t *data = page_at(walk->check, page);
    uint64_t last = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *at = page_node_at(data, i);
        uint64_t key = page_u64(at + NODE_HEAD_SIZE);
        if (key < low || key > high || (i > 0 && key <= last)) {
            return sw_page_damaged(walk->check, page, "the keys of a leaf page are out of order");
        }
        last = walk->check->last_key = key;
        int err = check_record(walk, page, at);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

/* ---- pages ---- */

static uint64_t separator(const uint8_t *page, unsigned index)
{
    return page_u64(page_node_at(page, index) + NODE_HEAD_SIZE);
}

static int check_separators(struct walk *walk, const struct frame *frame)
{
    const uint8_t *data = page_at(walk->check, frame->page);
    uint64_t last = frame->low;
    for (unsigned i = 1; i < frame->count; i++) {
        uint64_t key = separator(data, i);
        // What is left of the first one is not empty either.
        if (key <= last || key > frame->high) {
            return sw_page_damaged(
                walk->check, frame->page, "the keys of a branch page are out of order"
            );
        }
        last = key;
    }
    return SW_OK;
}

static int open_page(struct walk *walk, uint64_t page, uint64_t low, uint64_t high)
{
    struct page_check *check = walk->check;
    if (!sw_page_take(check, page, 1)) {
        uint64_t from = walk->depth > 0 ? walk->frames[walk->depth - 1].page : page;
        return sw_page_damaged(check, from, "a tree goes to a page that is in use, or none");
    }
    bool is_leaf = walk->depth + 1 == walk->tree->depth;
    struct page_head head = page_head(check, page);
    if (head.number != page || head.flags != (is_leaf ? PAGE_LEAF : PAGE_BRANCH)) {
        return sw_page_damaged(check, page, "the head of a tree's page is wrong");
    }
    if (head.upper > SW_PAGE_BYTES || head.upper % 2 != 0 || head.lower % 2 != 0
        || head.lower > head.upper || head.lower < PAGE_HEAD_SIZE + (is_leaf ? 2 : 4)) {
        return sw_page_damaged(check, page, "the bounds of a tree's page are wrong");
    }
    int err = sw_page_nodes_check(check, page, &head);
    if (err != SW_OK) {
        return err;
    }
    struct frame frame = {page, 0, page_nodes_count(&head), low, high};
    if (is_leaf) {
        walk->seen.leaf_pages++;
        return check_leaf(walk, page, frame.count, low, high);
    }
    walk->seen.branch_pages++;
    walk->frames[walk->depth++] = frame;
    return check_separators(walk, &frame);
}

/* Each page is opened once, as it is taken then: the walk ends, and within the time of the file's size. */
static int walk_pages(struct walk *walk, uint64_t low, uint64_t high)
{
    int err = open_page(walk, walk->tree->root, low, high);
    while (err == SW_OK && walk->depth > 0) {
        struct frame *frame = &walk->frames[walk->depth - 1];
        if (frame->index == frame->count) {
            walk->depth--;
            continue;
        }
        const uint8_t *data = page_at(walk->check, frame->page);
        unsigned i = frame->index++;
        uint64_t from = i > 0 ? separator(data, i) : frame->low;
        uint64_t to = i + 1 < frame->count ? separator(data, i + 1) - 1 : frame->high;
        err = open_page(walk, page_node(page_node_at(data, i)).child, from, to);
    }
    return err;
}

/* ---- the tree ---- */

static bool is_empty(const struct page_tree *tree)
{
    return tree->root == PAGE_NO_ROOT && tree->depth == 0 && tree->branch_pages == 0
           && tree->leaf_pages == 0 && tree->overflow_pages == 0 && tree->entries == 0;
}

static bool counts_equal(const struct page_tree *a, const struct page_tree *b)
{
    return a->branch_pages == b->branch_pages && a->leaf_pages == b->leaf_pages
           && a->overflow_pages == b->overflow_pages && a->entries == b->entries;
}

int sw_page_tree_check(
    struct page_check *check,
    const struct page_tree *tree,
    uint64_t low,
    uint64_t high,
    page_record_fn *record
)
{
    uint64_t meta = check->report->txn_id % PAGE_METAS;
    if (is_empty(tree)) {
        return SW_OK;
    }
    if (tree->depth == 0 || tree->depth > DEPTH_MAX) {
        return sw_page_damaged(check, meta, "the depth of a tree is none that there is");
    }
    struct walk walk = {.check = check, .tree = tree, .record = record};
    int err = walk_pages(&walk, low, high);
    if (err == SW_OK && !counts_equal(&walk.seen, tree)) {
        err = sw_page_damaged(check, meta, "the counts of a tree are not what was counted");
    }
    return err;
}
