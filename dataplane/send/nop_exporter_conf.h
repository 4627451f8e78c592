/* The `nop` exporter takes everything and does nothing; it has no keys. */
#ifndef SW_SEND_NOP_EXPORTER_CONF_H
#define SW_SEND_NOP_EXPORTER_CONF_H

#include "dataplane/pipeline/component.h"

struct sw_nop_exporter_conf {
    char nothing;
};

extern const struct sw_component sw_nop_exporter;

#endif
