/* Files that segments lie in: mapped shared, so that what was written is there after the process was killed. Not
 * after the loss of power: nobody syncs them, and their place is a file system in memory.
 *
 * A directory has the files of one owner: a file for each core of this start, and those that an earlier one left
 * behind. One process at a time. Room is allocated before it is mapped, so that a full file system is an error and
 * no signal; the files of a start together stay below a limit. */
#ifndef SW_BASE_SEGMENT_FILE_H
#define SW_BASE_SEGMENT_FILE_H

#include "dataplane/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_segment_dir;  /**< control thread, but where a line says otherwise */
struct sw_segment_file; /**< one core's */

/** Makes the directory if need be and takes its lock.
 *
 * @param id     the owner's; part of the names of files
 * @param error  why not, NUL-terminated
 * @return 0, SW_E_NOMEM, SW_E_SYSTEM
 */
SW_CHECKED int sw_segment_dir_open(
    const char *path,
    const char *id,
    uint64_t size_max,
    struct sw_segment_dir **ret_dir,
    char *error,
    size_t error_size
);

/** Lets go of the lock. @param empty  the files of this start are deleted, nobody needs them. NULL is legal */
void sw_segment_dir_close(struct sw_segment_dir *dir, bool empty);

/** Is the directory on a disk, where pages are written back and the loss of speed is felt? */
bool sw_segment_dir_on_disk(const struct sw_segment_dir *dir);

/** Files of earlier starts. */
unsigned sw_segment_dir_old_count(const struct sw_segment_dir *dir);

/** Maps one to be read. Any thread, one at a time for each.
 * @return 0 (*ret_data NULL: it is empty), SW_E_SYSTEM */
SW_CHECKED int sw_segment_dir_old_map(
    struct sw_segment_dir *dir,
    unsigned index,
    const uint8_t **ret_data,
    size_t *ret_size
);
enum sw_old_end {
    SW_OLD_STAYS, /**< for the next start */
    SW_OLD_GOES,  /**< what was in it is somewhere else now */
    SW_OLD_ASIDE, /**< not all of it could be read: it is renamed to *.bad */
};
/** Unmaps it. */
void sw_segment_dir_old_done(struct sw_segment_dir *dir, unsigned index, enum sw_old_end end);

/** The file of a core. @return 0, SW_E_NOMEM, SW_E_SYSTEM */
SW_CHECKED int
sw_segment_file_new(struct sw_segment_dir *dir, unsigned core, struct sw_segment_file **ret_file);
/** All of it is unmapped. NULL is legal. */
void sw_segment_file_free(struct sw_segment_file *file);

/** Maps `size` bytes, a multiple of the page size. Owner core.
 * @param populate  have the system find the pages now
 * @return NULL: no room in the file system or below the limit */
uint8_t *sw_segment_file_map(
    struct sw_segment_file *file,
    uint32_t size,
    bool populate,
    uint64_t *ret_offset
);
/** Unmaps them, and gives their room back. */
void sw_segment_file_unmap(
    struct sw_segment_file *file,
    uint8_t *data,
    uint32_t size,
    uint64_t offset
);

#endif
