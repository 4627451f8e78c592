#include "dataplane/base/segment.h"

#include "dataplane/base/mem.h"

#include <sys/mman.h>

#define PAGE 4096u

void sw_segments_init(
    struct sw_segments *segments,
    struct sw_account *account,
    struct sw_segment_file *file,
    uint32_t size
)
{
    SW_ASSERT(size > 0 && size <= UINT32_MAX - PAGE);
    *segments = (struct sw_segments){
        .account = account,
        .file = file,
        .size = (size + PAGE - 1) / PAGE * PAGE,
    };
}

static uint8_t *map_anonymous(uint32_t size, bool populate)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (populate ? MAP_POPULATE : 0);
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return data != MAP_FAILED ? data : NULL;
}

// The node is on the heap: tests make the n-th allocation fail there.
static struct sw_segment *map(struct sw_segments *segments, uint32_t size, bool populate)
{
    struct sw_segment *segment = sw_zalloc(sizeof(*segment));
    if (segment == NULL) {
        return NULL;
    }
    segment->size = size;
    segment->data = segments->file != NULL
                        ? sw_segment_file_map(segments->file, size, populate, &segment->offset)
                        : map_anonymous(size, populate);
    if (segment->data == NULL) {
        sw_free(segment);
        return NULL;
    }
    return segment;
}

static void unmap(struct sw_segments *segments, struct sw_segment *segment)
{
    if (segments->file != NULL) {
        sw_segment_file_unmap(segments->file, segment->data, segment->size, segment->offset);
    } else {
        munmap(segment->data, segment->size);
    }
    sw_free(segment);
}

static struct sw_segment *pop(struct sw_segments *segments)
{
    struct sw_segment *segment = segments->free_first;
    segments->free_first = segment->next;
    segments->free_count--;
    segments->free_bytes -= segment->size;
    segments->free_low = SW_MIN(segments->free_low, segments->free_count);
    return segment;
}

static void push(struct sw_segments *segments, struct sw_segment *segment)
{
    segment->next = segments->free_first;
    segments->free_first = segment;
    segments->free_count++;
    segments->free_bytes += segment->size;
}

void sw_segments_fini(struct sw_segments *segments)
{
    SW_ASSERT(segments->taken_count == 0);
    while (segments->free_first != NULL) {
        unmap(segments, pop(segments));
    }
    if (segments->fresh != NULL) {
        unmap(segments, segments->fresh);
        segments->fresh = NULL;
    }
}

struct sw_segment *sw_segment_take(struct sw_segments *segments, uint32_t bytes)
{
    struct sw_segment *segment;
    if (bytes > segments->size) {
        if (bytes > UINT32_MAX - PAGE) {
            return NULL;
        }
        segment = map(segments, (bytes + PAGE - 1) / PAGE * PAGE, true);
    } else if (segments->free_first != NULL) {
        segment = pop(segments);
    } else {
        segment = map(segments, segments->size, true);
    }
    if (segment == NULL) {
        return NULL;
    }
    segment->used = 0;
    segment->mark = 0;
    segment->next = NULL;
    segments->wanted = true;
    segments->taken_count++;
    segments->takes_count++;
    segments->taken_bytes += segment->size;
    sw_account_charge(segments->account, segment->size);
    return segment;
}

void sw_segment_give(struct sw_segments *segments, struct sw_segment *segment)
{
    SW_ASSERT(segments->taken_count > 0);
    segments->taken_count--;
    segments->taken_bytes -= segment->size;
    sw_account_charge(segments->account, -(int64_t)segment->size);
    if (segment->size == segments->size) {
        push(segments, segment);
    } else {
        unmap(segments, segment);
    }
}

int sw_segments_reserve(struct sw_segments *segments, uint32_t count)
{
    while (segments->free_count < count) {
        struct sw_segment *segment = map(segments, segments->size, true);
        if (segment == NULL) {
            return SW_E_NOMEM;
        }
        push(segments, segment);
    }
    return SW_OK;
}

// Touches up to `bytes` bytes of the fresh segment; a whole one is free. @return 0: out of memory
static uint32_t touch(struct sw_segments *segments, uint32_t bytes)
{
    if (segments->fresh == NULL) {
        segments->fresh = map(segments, segments->size, false);
        segments->fresh_bytes = 0;
    }
    struct sw_segment *fresh = segments->fresh;
    if (fresh == NULL) {
        return 0;
    }
    uint32_t begin = segments->fresh_bytes;
    uint32_t end = SW_MIN(fresh->size, begin + bytes);
    for (uint32_t at = begin; at < end; at += PAGE) {
        *(volatile uint8_t *)(fresh->data + at) = 0;
    }
    segments->fresh_bytes = end;
    if (end == fresh->size) {
        segments->fresh = NULL;
        push(segments, fresh);
    }
    return end - begin;
}

bool sw_segments_prepare(struct sw_segments *segments, uint32_t ahead, uint32_t bytes)
{
    segments->ahead = ahead;
    if (!sw_segments_short(segments, ahead)) {
        segments->wanted = false;
        return false;
    }
    while (bytes > 0 && sw_segments_short(segments, ahead)) {
        uint32_t done = touch(segments, bytes);
        if (done == 0) {
            return false; // the taker will be told
        }
        bytes -= SW_MIN(bytes, done);
    }
    return sw_segments_short(segments, ahead);
}

void sw_segments_tick(struct sw_segments *segments)
{
    if (++segments->window < SW_SEGMENTS_WINDOW) {
        return;
    }
    // Some stay for those who need them, as long as anybody does.
    uint32_t kept = segments->takes_count > 0 ? SW_MAX(1u, segments->ahead) : 0;
    segments->excess = segments->free_low > kept ? segments->free_low - kept : 0;
    segments->window = 0;
    segments->takes_count = 0;
    segments->free_low = segments->free_count;
}

bool sw_segments_trim(struct sw_segments *segments, uint32_t most)
{
    for (; most > 0 && segments->excess > 0 && segments->free_count > 0; most--) {
        unmap(segments, pop(segments));
        segments->excess--;
    }
    return segments->excess > 0 && segments->free_count > 0;
}
