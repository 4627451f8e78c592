/* The `forward` connector: hands what one pipeline ends with to others of the same signal (Collector v0.159
 * connector/forwardconnector). It owns nothing; an answer comes from where the data goes. In the books of
 * the pipeline that ends here its items are delivered; those behind it open books of their own. */
#ifndef SW_PIPELINE_FORWARD_H
#define SW_PIPELINE_FORWARD_H

#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/stage.h"

extern const struct sw_component sw_forward;
extern const struct sw_stage_class sw_forward_class;

#endif
