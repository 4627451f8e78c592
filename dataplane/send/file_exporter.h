/* The `file` exporter: requests as records of a file, written by the actor of storage/files. */
#ifndef SW_SEND_FILE_EXPORTER_H
#define SW_SEND_FILE_EXPORTER_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_file_exporter_class;

#endif
