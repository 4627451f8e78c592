/* The `debug` exporter: shows what it gets, through the log of the control thread. */
#ifndef SW_SEND_DEBUG_EXPORTER_H
#define SW_SEND_DEBUG_EXPORTER_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_debug_exporter_class;

#endif
