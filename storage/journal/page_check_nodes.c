#include "storage/journal/page_check_internal.h"

// Two nodes must fit on a page, with their places in the array; mdb.c splits pages on the strength of it.
#define NODE_SIZE_MAX ((((SW_PAGE_BYTES - PAGE_HEAD_SIZE) / 2) & ~1u) - 2)

static const char *
branch_node_fault(const struct page_node *node, unsigned index, unsigned *ret_size)
{
    // The first key of a branch page is never compared; mdb.c leaves it empty.
    if (node->key_size != PAGE_KEY_SIZE && (index > 0 || node->key_size != 0)) {
        return "the key of a branch page is not of 8 bytes";
    }
    *ret_size = NODE_HEAD_SIZE + node->key_size;
    return NULL;
}

static const char *leaf_node_fault(const struct page_node *node, unsigned *ret_size)
{
    if (node->key_size != PAGE_KEY_SIZE) {
        return "the key of a leaf page is not of 8 bytes";
    }
    if ((node->flags & ~NODE_BIG) != 0) {
        return "a node has flags that no record of ours has";
    }
    uint64_t size = node->flags == NODE_BIG ? sizeof(uint64_t) : node->value_size;
    size += NODE_HEAD_SIZE + PAGE_KEY_SIZE;
    if (size > NODE_SIZE_MAX) {
        return "a node is too large for its page";
    }
    *ret_size = ((unsigned)size + 1) & ~1u;
    return NULL;
}

/* Where it begins is noted with its size. */
static const char *
node_fault(struct page_check *check, uint64_t page, const struct page_head *head, unsigned index)
{
    const uint8_t *at = page_node_at(page_at(check, page), index);
    size_t offset = (size_t)(at - page_at(check, page));
    if (offset % 2 != 0 || offset < head->upper || offset > SW_PAGE_BYTES - NODE_HEAD_SIZE) {
        return "a node is outside of its page";
    }
    struct page_node node = page_node(at);
    unsigned size = 0;
    const char *fault = head->flags == PAGE_BRANCH ? branch_node_fault(&node, index, &size)
                                                   : leaf_node_fault(&node, &size);
    if (fault != NULL) {
        return fault;
    }
    if (size > SW_PAGE_BYTES - offset) {
        return "a node ends outside of its page";
    }
    if (check->node_size[offset / 2] != 0) {
        return "two nodes are in one place";
    }
    check->node_size[offset / 2] = (uint16_t)size;
    return NULL;
}

/* mdb.c keeps nodes packed from upper to the page's end, and moves them as one piece when one goes: a gap
 * or an overlap would let it move the wrong bytes. */
static bool nodes_are_packed(const struct page_check *check, unsigned upper, unsigned count)
{
    unsigned at = upper;
    unsigned found = 0;
    while (at < SW_PAGE_BYTES && check->node_size[at / 2] != 0) {
        at += check->node_size[at / 2];
        found++;
    }
    return at == SW_PAGE_BYTES && found == count;
}

static void forget_nodes(struct page_check *check, unsigned upper)
{
    memset(&check->node_size[upper / 2], 0, SW_PAGE_BYTES - upper);
}

int sw_page_nodes_check(struct page_check *check, uint64_t page, const struct page_head *head)
{
    unsigned count = page_nodes_count(head);
    const char *fault = NULL;
    for (unsigned i = 0; fault == NULL && i < count; i++) {
        fault = node_fault(check, page, head, i);
    }
    if (fault == NULL && !nodes_are_packed(check, head->upper, count)) {
        fault = "the nodes of a page have gaps, or lie over each other";
    }
    forget_nodes(check, head->upper);
    return fault == NULL ? SW_OK : sw_page_damaged(check, page, fault);
}
