/* Where a receiver hands in what other gateways send (docs/peer-protocol.md): one door for each pipeline whose
 * traces are spread over gateways. Constant once made. */
#ifndef SW_PIPELINE_PEER_DOOR_H
#define SW_PIPELINE_PEER_DOOR_H

#include "dataplane/otlp/protobuf.h"
#include "dataplane/pipeline/stage.h"

/** The service, its version in the name, and its calls. */
#define SW_PEER_SERVICE   "spanweir.peer.v1.Peer"
#define SW_PEER_FORWARD   "/" SW_PEER_SERVICE "/Forward"
#define SW_PEER_DECISIONS "/" SW_PEER_SERVICE "/Decisions"
/** The header that names the pipeline. */
#define SW_PEER_PIPELINE "spanweir-pipeline"

/** The header of an export that goes straight into an exporter's queue: what another gateway had in its own. */
#define SW_PEER_EXPORTER "spanweir-exporter"

/** Such an exporter. */
struct sw_handed_over {
    const char *exporter; /**< ID */
    enum sw_signal signal;
    struct sw_stage *const *stages; /**< of each core */
};

struct sw_peer_door {
    const char *pipeline; /**< ID */
    struct sw_stage *
        *entries; /**< of each core: for batches that were forwarded, which stay here */
    /** The message of a Decisions call. On a core, borrowed until return.
     * @return 0 or SW_E_MALFORMED */
    SW_CHECKED int (*decisions
    )(struct sw_peer_door *door, struct sw_core *core, struct sw_bytes message);
};

#endif
