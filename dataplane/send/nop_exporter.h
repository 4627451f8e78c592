/* The `nop` exporter: everything is delivered, to nobody. */
#ifndef SW_SEND_NOP_EXPORTER_H
#define SW_SEND_NOP_EXPORTER_H

#include "dataplane/pipeline/stage.h"

extern const struct sw_stage_class sw_nop_exporter_class;

#endif
