/* The batch processor: joins small requests into larger ones (Collector v0.159,
 * processor/batchprocessor). An owner: it settles a ticket when it takes a batch; what it sends on
 * travels with tickets of its own, one at a time, in order.
 *
 * Where it does better than the Collector: a batch that downstream has no room for is kept and
 * offered again, not dropped, and once a full one waits, new input is refused to the sender.
 *
 * Each core batches for itself. The class is the `ops` of sw_batch_processor.
 */
#ifndef SW_BATCH_BATCH_H
#define SW_BATCH_BATCH_H

#include "dataplane/pipeline/stage.h"
#include "storage/batch/batch_conf.h"

extern const struct sw_stage_class sw_batch_class;

#endif
