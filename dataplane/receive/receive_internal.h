/* What the files of the receiver share: the receiver of a core, its two endpoints, connections, calls.
 *
 *   connection (grpc_server.c, http_server.c)   bytes in, a call per request
 *   call (decode.c)    body → decompressed → read or validated
 *        (call.c)      → batch → entry … ticket settled → answer
 *   answer (answer.c)  an outcome in the words of gRPC and HTTP
 *
 * A call outlives its connection while the ticket is out. All on the receiver's core. */
#ifndef SW_RECEIVE_RECEIVE_INTERNAL_H
#define SW_RECEIVE_RECEIVE_INTERNAL_H

#include "dataplane/base/clock.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http1.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/json.h"
#include "dataplane/otlp/validate.h"
#include "dataplane/pipeline/cells.h"
#include "dataplane/receive/otlp_receiver.h"

#include <sys/queue.h>

/** A body without a byte for this long is given up; so is the head of an HTTP request that takes longer
 * than RECEIVE_HEAD_NS. The Collector waits for ever. */
#define RECEIVE_STALL_NS (30 * SW_NS_PER_S)
#define RECEIVE_HEAD_NS  (60 * SW_NS_PER_S)
/** HTTP/2: until the preface and SETTINGS are there. */
#define RECEIVE_PREFACE_NS (10 * SW_NS_PER_S)
/** After our FIN the peer has this long to close too. */
#define RECEIVE_LINGER_NS SW_NS_PER_S

enum receive_refusal {
#define SW_REFUSAL(name, text) RECEIVE_##name,
#include "dataplane/receive/refusals.def"
#undef SW_REFUSAL
    RECEIVE_REFUSALS_COUNT,
};

struct receive_conn;
struct receive_call;
struct receive_front;
struct receive_answer;

/** How calls of one kind of connection are answered. */
struct receive_conn_ops {
    /** Once per call, unless its stream is gone. Never frees the call or the connection. */
    void (*answer)(struct receive_call *call, const struct receive_answer *answer);
    /** The connection's timer. May free the connection. */
    void (*due)(struct receive_conn *conn, uint64_t now_ns);
    /** Once a second: gives up what stalls. May free the connection. */
    void (*sweep)(struct receive_conn *conn, uint64_t now_ns);
    /** The end is announced: the peer makes another connection, which is served until the drain. NULL:
     * the protocol has no word for it. */
    void (*notice)(struct receive_conn *conn, const char *text);
    /** May free the connection. Called again and again. */
    void (*drain)(struct receive_conn *conn);
    /** Drops the protocol's part; streams and calls are closed. */
    void (*fini)(struct receive_conn *conn);
};

struct receive_cells {
    struct sw_cell *accepted;
    struct sw_cell *refused;
    struct sw_cell *failed;
    struct sw_cell *requests[2]; /**< success, refused */
};

/** gRPC or HTTP of one receiver on one core. */
struct receive_endpoint {
    struct sw_otlp_receiver *receiver;
    const struct receive_conn_ops *ops;
    uint32_t message_max; /**< bytes of a body, compressed and not */
    struct receive_cells cells[SW_SIGNALS_COUNT];
    struct sw_cell *refusals[RECEIVE_REFUSALS_COUNT];
    struct receive_durations *durations; /**< NULL: nobody asks for them */
};

struct sw_otlp_receiver {
    struct sw_otlp_receiver_env env;
    struct sw_core *core;
    struct sw_codec *codec;
    uint32_t
        http_codings; /**< bits of enum sw_coding: accepted in Content-Encoding; 0: it is ignored */
    struct receive_endpoint grpc;
    struct receive_endpoint http;
    struct receive_front *front; /**< response_headers and cors; NULL: neither */
    bool http_timed;             /**< some timeout of HTTP is configured */
    LIST_HEAD(, receive_conn) conns;
    LIST_HEAD(receive_calls, receive_call) orphans; /**< tickets out, connection gone */
    struct receive_call *spare;                     /**< recycled */
    uint32_t spare_count;
    uint32_t calls_count; /**< all that are not spare */
    struct sw_timer sweep_timer;
    struct sw_timer resume_timer; /**< looks whether the mailbox has room again */
    bool draining;
    uint64_t date_s; /**< second that `date` names */
    char date[30];
    uint64_t success_s; /**< HTTP's answer to a good request, with that second's date */
    uint32_t success_len;
    char success[160];
};

struct receive_conn {
    LIST_ENTRY(receive_conn) all;
    struct receive_endpoint *endpoint;
    struct sw_stream *stream;
    struct receive_calls
        calls; /**< those of streams that are gone too, while their tickets are out */
    uint32_t calls_count;
    struct sw_task task;      /**< sends and goes on, outside of callbacks */
    struct sw_client *client; /**< the peer's address alone; made when it is asked for */
    struct sw_timer timer;    /**< keepalive, timeouts: next look at this connection */
    uint64_t since_ns;        /**< of the state: accepted, request begun, ending */
    bool feeding;             /**< inside on_data: what is answered goes out when it ends */
    bool ending;              /**< FIN is on its way; what still comes in is ignored */
    bool congested;           /**< paused for the mailbox */
    bool held;                /**< paused by the protocol: bytes wait behind a request */
};

enum call_state {
    CALL_BODY,     /**< its bytes come in */
    CALL_DECODING, /**< body whole, a task works on it */
    CALL_WAITING,  /**< handed over, the ticket is out */
    CALL_DONE,     /**< nothing more to be done for it but to tell */
};

/** What a gRPC call asks for. */
enum call_method {
    METHOD_EXPORT,
    METHOD_FORWARD,   /**< another gateway's: of traces that are this one's */
    METHOD_DECISIONS, /**< likewise */
};

/** A reason to refuse that was found in the head; the lowest rank counts. */
struct call_fault {
    uint8_t rank; /**< 0: none */
    uint8_t refusal;
    uint16_t http_status;
    int grpc_code;
    struct sw_buf *text;
};

struct receive_call {
    LIST_ENTRY(receive_call) of_owner; /**< conn->calls or receiver->orphans */
    struct receive_call *next_spare;
    struct receive_endpoint *endpoint;
    struct receive_conn *conn; /**< NULL: gone */
    enum call_state state;
    enum sw_signal signal;
    bool open; /**< somebody can still be answered, or its stream is not closed yet */
    bool answered;
    bool handing;                /**< inside consume */
    enum sw_coding coding;       /**< of the body, until it is opened */
    enum sw_coding reply_coding; /**< gRPC: the one that the request named */
    uint64_t began_ns;
    uint64_t body_bytes;  /**< as it came, once it is whole */
    uint64_t touched_ns;  /**< last byte of the body */
    uint64_t deadline_ns; /**< grpc-timeout, core clock; SW_TIME_NEVER: none */
    struct sw_timer timer;

    struct sw_buf *body; /**< being decoded */
    bool is_json;        /**< the body is OTLP/JSON, until it is read */
    struct sw_json_reader *json;
    size_t decoded_bytes;
    struct sw_otlp_counts counts;
    struct sw_task task;
    struct sw_ticket ticket;

    /* gRPC */
    int32_t id;
    enum call_method method;
    struct sw_peer_door *door; /**< METHOD_FORWARD, METHOD_DECISIONS; NULL: not named yet */
    const struct sw_handed_over *exporter; /**< it goes there, past all processors */
    bool is_handed_over;                   /**< another gateway had it in a queue */
    bool headers_done;
    bool path_seen;
    bool type_seen;
    uint8_t authorities_count;
    uint8_t hosts_count;
    uint8_t type_len;
    char type[64]; /**< content type of the answer */
    struct call_fault fault;
    struct sw_buf *metadata; /**< include_metadata: records of names and values (metadata.c) */
    uint32_t metadata_count;
    bool metadata_lost; /**< no memory for all of it */
    struct sw_grpc_reader reader;
    struct sw_http_body reply;
};

/* ---- answers: answer.c ---- */

struct receive_answer {
    int grpc_code;            /**< 0: success */
    unsigned http_status;     /**< 0: what the gRPC code means */
    struct sw_http_text text; /**< borrowed */
    struct sw_buf *details;   /**< serialized google.rpc.Status, borrowed; NULL: none */
    bool unprintable;         /**< text is no UTF-8: Go cannot put it into a google.rpc.Status */
};

/** How a pipeline's outcome is told. The answer borrows from the outcome. */
void sw_receive_answer_of_outcome(
    const struct sw_outcome *outcome,
    struct receive_answer *ret_answer
);
void sw_receive_answer_of_err(int err, struct receive_answer *ret_answer);

/** HTTP status of a gRPC code (Collector, internal/httphelper). */
unsigned sw_receive_http_status(int grpc_code);

/** Retry-After in whole seconds, out of the details; false: none. */
bool sw_receive_retry_after(const struct receive_answer *answer, uint64_t *ret_seconds);

/** The google.rpc.Status of an answer. NULL: out of memory. */
struct sw_buf *sw_receive_status_bytes(const struct receive_answer *answer);
struct sw_buf *sw_receive_status_json(const struct receive_answer *answer);

/** Text in a buffer, cut at 1 KiB; NULL when out of memory. */
struct sw_buf *sw_receive_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** As Go's %q: quoted, escaped, NUL-terminated, cut to size. @return to */
const char *sw_receive_quote(struct sw_http_text text, char *to, size_t size);

static inline struct sw_http_text receive_buf_text(const struct sw_buf *buf)
{
    return buf != NULL ? (struct sw_http_text){(const char *)buf->data, buf->size}
                       : (struct sw_http_text){"", 0};
}

/* ---- durations of calls: durations.c ---- */

struct receive_durations;

/** *ret_durations stays NULL below level detailed. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_receive_durations_new(
    const struct sw_otlp_receiver_env *env,
    bool grpc,
    struct receive_durations **ret_durations
);

/** The call is answered now. Only where its endpoint has durations. */
void sw_receive_measure(const struct receive_call *call, const struct receive_answer *answer);

/* ---- calls: call.c ---- */

/** A call of a connection, in state BODY. NULL: out of memory. */
struct receive_call *sw_receive_call_new(struct receive_conn *conn);

/** As sw_receive_call_refuse, in the words of an error. */
void sw_receive_call_refuse_err(struct receive_call *call, enum receive_refusal refusal, int err);

/** Body decoded and counted: it goes to the pipeline. The answer may come from inside. */
void sw_receive_call_hand_over(struct receive_call *call);

/** The body is whole. body is taken over; NULL: empty. Goes on at once or, when it is large, in slices.
 * The answer may come from inside. */
void sw_receive_call_submit(struct receive_call *call, struct sw_buf *body);

/** Refuses what was not handed over; counted by reason. */
void sw_receive_call_refuse(
    struct receive_call *call,
    enum receive_refusal refusal,
    const struct receive_answer *answer
);
/** As above, with a text in a buffer that is dropped (NULL: out of memory, then the code's name will
 * do). */
void sw_receive_call_refuse_text(
    struct receive_call *call,
    enum receive_refusal refusal,
    unsigned http_status,
    int grpc_code,
    struct sw_buf *text
);

/** The stream that it came by is closed, or its answer is written: nobody will be told any more. The call is
 * freed, now or when its ticket is settled. */
void sw_receive_call_close(struct receive_call *call);

/** The connection goes: closes all of its calls. */
void sw_receive_calls_close(struct receive_conn *conn);

/** Drops everything that is left; the stages are gone. */
void sw_receive_calls_free(struct sw_otlp_receiver *receiver);

/** True when memory is short where no memory_limiter guards the pipelines. */
bool sw_receive_memory_short(struct sw_otlp_receiver *receiver);

static inline void
receive_count_refusal(struct receive_endpoint *endpoint, enum receive_refusal refusal)
{
    sw_count(endpoint->refusals[refusal], 1);
}

/* ---- who sent it: metadata.c ---- */

/** gRPC: keeps a header where include_metadata asks for it. */
void sw_receive_metadata_add(
    struct receive_call *call,
    struct sw_http_text name,
    struct sw_http_text value
);

/** The client of a call, with a reference for the caller; NULL: nothing is known of it. While the
 * connection is there. @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_receive_client(struct receive_call *call, struct sw_client **ret_client);

/* ---- connections: otlp_receiver.c ---- */

void sw_receive_conn_init(
    struct receive_conn *conn,
    struct receive_endpoint *endpoint,
    struct sw_stream *stream,
    const struct sw_stream_events *events,
    bool (*run)(struct sw_task *task, uint64_t now_ns)
);

/** A stream that no connection can be made for. */
void sw_receive_turn_away(struct sw_otlp_receiver *receiver, struct sw_stream *stream);

/** Gives up the stream at once and frees. */
void sw_receive_conn_close(struct receive_conn *conn);

/** The stream is gone (on_closed): frees. */
void sw_receive_conn_free(struct receive_conn *conn);

/** Sends what is queued and FIN; on_closed or the sweep ends it. */
void sw_receive_conn_finish(struct receive_conn *conn);

/** Reads or pauses, as the mailbox, the queue of bytes out and the protocol want it. */
void sw_receive_conn_regulate(struct receive_conn *conn);

/** Has the connection's task run, soon and outside of callbacks. */
static inline void receive_conn_wake(struct receive_conn *conn)
{
    if (!conn->feeding) {
        sw_core_task(conn->stream->core, &conn->task);
    }
}

extern const struct receive_conn_ops sw_receive_grpc_ops;
extern const struct receive_conn_ops sw_receive_http_ops;

/* ---- gRPC requests: grpc_request.c ---- */

void sw_receive_grpc_header(
    struct receive_call *call,
    struct sw_http_text name,
    struct sw_http_text value
);
/** All headers are there. The call is refused, or waits for its body. */
void sw_receive_grpc_headers_end(struct receive_call *call);

/* ---- HTTP requests: http_request.c ---- */

enum receive_media {
    RECEIVE_MEDIA_NONE, /**< absent or not to be parsed */
    RECEIVE_MEDIA_PROTOBUF,
    RECEIVE_MEDIA_JSON,
    RECEIVE_MEDIA_OTHER,
};
enum receive_media sw_receive_media_of(struct sw_http_text content_type);

enum receive_route {
    RECEIVE_ROUTE_SIGNAL,
    RECEIVE_ROUTE_NONE,
    RECEIVE_ROUTE_REDIRECT,
    RECEIVE_ROUTE_ASTERISK,
    RECEIVE_ROUTE_INVALID, /**< not a URL that Go would parse */
    RECEIVE_ROUTE_NOMEM,
};

/** Where a request target leads.
 *
 * @param ret_signal    SIGNAL: whose path it is (that has a pipeline)
 * @param ret_location  REDIRECT: the cleaned path with its query; the caller's
 */
enum receive_route sw_receive_route_of(
    const struct sw_otlp_receiver *receiver,
    struct sw_http_text target,
    enum sw_signal *ret_signal,
    struct sw_buf **ret_location
);

#endif
