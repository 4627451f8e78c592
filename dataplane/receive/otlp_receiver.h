/* The `otlp` receiver on one core (Collector v0.159 receiver/otlpreceiver): gRPC over clear-text HTTP/2
 * and HTTP/1.1, protobuf and JSON. Connections are handed in as streams; requests become batches
 * for the first stage of a pipeline, and each is answered when its ticket is settled.
 *
 * Everything here happens on the receiver's core; new and free are the control thread's, while the
 * core does not run. */
#ifndef SW_RECEIVE_OTLP_RECEIVER_H
#define SW_RECEIVE_OTLP_RECEIVER_H

#include "dataplane/base/core.h"
#include "dataplane/base/metric.h"
#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/http.h"
#include "dataplane/pipeline/peer_door.h"
#include "dataplane/pipeline/stage.h"
#include "dataplane/receive/memory_limiter.h"
#include "dataplane/receive/otlp_receiver_conf.h"

#include <stdbool.h>

struct sw_otlp_receiver;

/** What a receiver stands on; borrowed, outlives it (the struct itself is copied). */
struct sw_otlp_receiver_env {
    const char *id; /**< full component ID */
    const struct sw_otlp_receiver_conf *conf;
    struct sw_core *core;
    /** NULL: the signal has no pipeline. */
    struct sw_stage *entries[SW_SIGNALS_COUNT];
    struct sw_metrics *metrics;          /**< may be NULL */
    struct sw_http_budget *budget;       /**< bodies and windows of the process; may be NULL */
    struct sw_memory_baseline *baseline; /**< may be NULL */
    /** Used memory from which on requests are refused, for pipelines that no memory_limiter guards.
     * 0: the pipelines' own limiters decide. */
    int64_t memory_limit_bytes;
    /** gRPC: what other gateways may send, for the pipelines that take it. */
    struct sw_peer_door *const *doors;
    unsigned doors_count;
    /** gRPC: exporters that other gateways may hand requests over to. */
    const struct sw_handed_over *handed_over;
    unsigned handed_over_count;
    bool count_requests; /**< otelcol_receiver_requests (gate receiverhelper.newReceiverMetrics) */
};

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_otlp_receiver_new(
    const struct sw_otlp_receiver_env *env,
    struct sw_otlp_receiver **ret_receiver
);

/** Drops connections and calls. Comes after the stages behind the entries were freed: those settle
 * tickets, and a ticket lives in its call. NULL is legal. */
void sw_otlp_receiver_free(struct sw_otlp_receiver *receiver);

/** Serves a connection of the gRPC endpoint, or of the HTTP one. The stream is the receiver's from now on;
 * core->accepted_ended_count rises when it has ended. */
void sw_otlp_receiver_accept_grpc(struct sw_otlp_receiver *receiver, struct sw_stream *stream);
void sw_otlp_receiver_accept_http(struct sw_otlp_receiver *receiver, struct sw_stream *stream);

/** The process ends in notice_ns: gRPC clients are told (pipeline/drain_notice.h), and may come back over
 * another connection until then. */
void sw_otlp_receiver_notice(struct sw_otlp_receiver *receiver, uint64_t notice_ns);

/** Says goodbye (GOAWAY, Connection: close), lets running calls end, closes idle connections. Call
 * again until it returns 0. now >= deadline_ns: connections are closed at once.
 *
 * @return 0 when no connection and no call is left; SW_E_AGAIN
 */
SW_CHECKED int sw_otlp_receiver_drain(struct sw_otlp_receiver *receiver, uint64_t deadline_ns);

/** Most bytes of one message that a configuration lets in, compressed or not. */
int64_t sw_otlp_receiver_message_max(const struct sw_otlp_receiver_conf *conf);

#endif
