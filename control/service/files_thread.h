/* The thread around the actor that writes files (storage/files): none as long as no exporter has one. */
#ifndef SW_SERVICE_FILES_THREAD_H
#define SW_SERVICE_FILES_THREAD_H

#include "storage/files/files.h"

struct sw_files_thread;

/** Opens the files and starts the thread. @return 0 (*ret_thread NULL when there are no files),
 * SW_E_NOMEM, SW_E_SYSTEM with the reason in `error` */
SW_CHECKED int sw_files_thread_new(
    struct sw_files *files,
    struct sw_files_thread **ret_thread,
    char *error,
    size_t error_size
);

/** The cores have stopped: what they sent is still written, then the files are closed. NULL is legal. */
void sw_files_thread_free(struct sw_files_thread *thread);

#endif
