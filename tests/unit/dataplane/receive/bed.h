/* A receiver on one core, its clients on another, over any implementation of streams; stepped by hand.
 * Behind the receiver stands a stage that keeps what it gets (tests/lib/bench.h). */
#ifndef TESTS_RECEIVE_BED_H
#define TESTS_RECEIVE_BED_H

#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http2.h"
#include "dataplane/receive/otlp_receiver.h"
#include "tests/lib/bench.h"

enum bed_kind {
    BED_TCP,
    BED_MEMORY,
    BED_TROUBLED, /**< small segments, short writes, delays */
    BED_RESETS,   /**< the same, and connections that break */
    BED_KINDS_COUNT,
};

struct bed_client;

struct bed {
    enum bed_kind kind;
    struct sw_account account;
    struct sw_http_budget budget;
    struct sw_memory_baseline baseline;
    struct sw_core cores[2]; /**< 0: clients, 1: receiver */
    struct sw_memory_wire *wire;
    int listen_fds[2]; /**< gRPC, HTTP */
    struct sw_addr addrs[2];
    struct sw_metrics *metrics;
    struct sw_otlp_receiver_conf conf;
    struct sw_otlp_receiver *receiver;
    struct bench_keeper keeper;
    struct bed_client *clients;
    unsigned accepted_count;
};

/** conf: what differs from the defaults; NULL: nothing. seed: of the trouble. */
void bed_init_conf(
    struct bed *bed,
    enum bed_kind kind,
    uint64_t seed,
    void (*change)(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
);
static inline void bed_init(struct bed *bed, enum bed_kind kind)
{
    bed_init_conf(bed, kind, 7, NULL);
}

/** Frees everything; every byte and every timer must have been given back. */
void bed_fini(struct bed *bed);

void bed_step(struct bed *bed);

/** Time goes on; what is due is done. */
void bed_wait(struct bed *bed, uint64_t ns);

#define bed_until(bed, condition)                                                                  \
    do {                                                                                           \
        unsigned steps_left = 400000;                                                              \
        while (!(condition)) {                                                                     \
            bed_step(bed);                                                                         \
            if (--steps_left == 0) {                                                               \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

int64_t bed_count(struct bed *bed, const char *name, const char *label, const char *value);

/** A request of so many small spans, counted from `from`. */
struct sw_buf *bed_request(uint32_t from, uint32_t spans);
/** That body, packed. */
struct sw_buf *bed_pack(enum sw_coding coding, const struct sw_buf *buf);

/** What the keeper got last is this request, byte for byte. */
void bed_assert_kept(struct bed *bed, const struct sw_buf *body);

/* ---- clients ---- */

struct bed_rpc {
    int32_t id;
    bool sent_all;
    bool headers_seen;
    bool closed;
    uint32_t reset_code;
    unsigned headers_count; /**< blocks */
    char http_status[8];
    char content_type[64];
    char encoding[16];
    char status[8];
    char message[1024];
    char details[256];
    uint8_t data[256];
    size_t data_len;
    struct sw_http_buf_body body;
    bool has_body;
};

struct bed_client {
    struct bed *bed;
    struct bed_client *next;
    struct sw_stream *stream;
    bool open;
    bool eof;
    bool closed;
    int err;
    bool goaway;
    char goaway_text[64]; /**< of the first */
    /* gRPC */
    bool grpc;
    struct sw_h2 *h2;
    uint64_t out_bytes;
    uint64_t hold_bytes; /**< no DATA leaves after so many bytes; 0: no end */
    bool dead;           /**< the session is broken or the stream gone */
    bool close_due;
    /* HTTP: everything that came */
    char *text;
    size_t text_len;
};

/** Connected on return, unless the kind breaks connections. */
struct bed_client *bed_connect_grpc(struct bed *bed);
struct bed_client *bed_connect_http(struct bed *bed);
/** Closes at once. */
void bed_hang_up(struct bed_client *client);

#define BED_EXPORT "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/** Starts a call with the usual headers; `name` of each more replaces one or is added (value NULL: left
 * out). frame: all DATA, taken over; NULL: none. */
struct bed_header {
    const char *name;
    const char *value;
};
void bed_call(
    struct bed_client *client,
    struct bed_rpc *rpc,
    struct sw_buf *frame,
    const struct bed_header *more,
    size_t more_count
);
/** Prefix and message. */
struct sw_buf *bed_frame(uint8_t flag, const struct sw_buf *message);

/** A call with this message (taken over), to its end. */
void bed_export(struct bed_client *client, struct bed_rpc *rpc, struct sw_buf *message);

void bed_assert_ok(const struct bed_rpc *rpc);
void bed_assert_failed(const struct bed_rpc *rpc, const char *status, const char *message);

void bed_send(struct bed_client *client, const void *data, size_t size);
static inline void bed_send_text(struct bed_client *client, const char *text)
{
    bed_send(client, text, strlen(text));
}
/** A whole POST to /v1/traces; extra: header lines, may be "". */
void bed_post(struct bed_client *client, const char *extra, const struct sw_buf *body);

/** Responses that are complete. */
unsigned bed_responses_count(const struct bed_client *client);
/** The text of the first one is cut off and compared. Date lines are left out. */
void bed_assert_response(struct bed_client *client, const char *head, const char *body, size_t len);
#define bed_assert_response_text(client, head, body)                                               \
    bed_assert_response(client, head, body, sizeof(body) - 1)

#endif
