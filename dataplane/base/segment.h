/* Segments: mapped memory that is filled from the front and freed whole. Pre-faulted when mapped, so
 * that an append never waits for the system to find a page; recycled, so that in a steady state
 * nothing is mapped at all; given back when nobody has needed it for a while.
 *
 * One struct sw_segments belongs to one core. A segment is charged while it is taken; free ones
 * pin nothing and are not (the process's baseline sees them until they go back to the system).
 */
#ifndef SW_BASE_SEGMENT_H
#define SW_BASE_SEGMENT_H

#include "dataplane/base/buf.h"
#include "dataplane/base/err.h"
#include "dataplane/base/segment_file.h"

#include <stdbool.h>
#include <stdint.h>

struct sw_segment {
    uint8_t *data;
    uint32_t size;           /**< bytes of data */
    uint32_t used;           /**< the taker's: bytes filled, from the front */
    uint32_t mark;           /**< the taker's */
    uint32_t index;          /**< the taker's */
    uint64_t offset;         /**< in the file */
    struct sw_segment *next; /**< the taker's while taken */
};

struct sw_segments {
    struct sw_account *account;
    struct sw_segment_file *file; /**< where they lie; NULL: in memory of the process */
    uint32_t size;                /**< of an ordinary segment, a multiple of the page size */
    struct sw_segment *free_first;
    uint32_t free_count;
    uint32_t free_low;        /**< least free_count in this window */
    uint32_t window;          /**< trims since the window began */
    uint32_t excess;          /**< free ones that the last window never needed */
    uint32_t takes_count;     /**< takes in this window */
    uint32_t taken_count;     /**< segments in use */
    uint32_t ahead;           /**< as many are kept free while there are takers */
    bool wanted;              /**< taken since that many were free */
    struct sw_segment *fresh; /**< being pre-faulted */
    uint32_t fresh_bytes;     /**< of it are */
    uint64_t taken_bytes;     /**< of segments in use */
    uint64_t free_bytes;
};

/** @param file  that segments lie in (segment_file.h), borrowed; NULL: none
 * @param size  of a segment; rounded up to whole pages */
void sw_segments_init(
    struct sw_segments *segments,
    struct sw_account *account,
    struct sw_segment_file *file,
    uint32_t size
);

/** Unmaps the free ones. All that were taken must have been given. */
void sw_segments_fini(struct sw_segments *segments);

/** A segment of at least `bytes` bytes (above the ordinary size: one of its own size, never recycled),
 * pre-faulted, used and mark 0. What it holds is not cleared.
 * @return NULL when the system has no memory */
struct sw_segment *sw_segment_take(struct sw_segments *segments, uint32_t bytes);

/** Gives a segment back; its content is gone. */
void sw_segment_give(struct sw_segments *segments, struct sw_segment *segment);

/** Sees to it that `count` ordinary segments are free, so that as many takes cannot fail.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_segments_reserve(struct sw_segments *segments, uint32_t count);

/** Pre-faults up to `bytes` bytes towards `ahead` free segments, when some were taken since there were
 * as many: takers then find memory that the system has handed out already, in slices of what a step
 * has time for (fresh pages cost 0.3 to 4 µs each). @return true when there is more to do */
bool sw_segments_prepare(struct sw_segments *segments, uint32_t ahead, uint32_t bytes);

/** Whether sw_segments_prepare has something to do. */
static inline bool sw_segments_short(const struct sw_segments *segments, uint32_t ahead)
{
    return segments->wanted && segments->free_count < ahead;
}

/** Ticks after which free segments count as unused. */
#define SW_SEGMENTS_WINDOW 5u

/** To be called about once a second: notes how many segments were free all the time. */
void sw_segments_tick(struct sw_segments *segments);

/** Gives up to `most` unused ones back to the system. @return true when there are more of them */
bool sw_segments_trim(struct sw_segments *segments, uint32_t most);

#endif
