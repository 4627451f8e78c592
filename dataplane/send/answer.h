/* What a backend's answer, or the lack of one, means: outcomes in the Collector's terms and words
 * (otlp-protocol.md §3.6, 3.7, 4.5, 4.6; v0.159 exporter/otlpexporter, exporter/otlphttpexporter). */
#ifndef SW_SEND_ANSWER_H
#define SW_SEND_ANSWER_H

#include "dataplane/l7_http/http.h"
#include "dataplane/otlp/status.h"
#include "dataplane/pipeline/stage.h"

/** Text in a buffer of its own; NULL when out of memory. */
struct sw_buf *sw_text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Outcome of a gRPC call that ended with a status.
 *
 * @param code     not 0
 * @param message  as decoded, borrowed
 * @param details  serialized google.rpc.Status, taken over; NULL: none
 */
void sw_answer_grpc(
    int code,
    struct sw_http_text message,
    struct sw_buf *details,
    struct sw_outcome *ret_outcome
);

/** Outcome of an HTTP response that is not 2xx.
 *
 * @param url          for the text
 * @param body         borrowed, what was kept of it
 * @param retry_after  value of the header, data NULL: none
 * @param wall_ns      now, for a Retry-After that is a date
 */
void sw_answer_http(
    unsigned status,
    const char *url,
    struct sw_http_text body,
    struct sw_http_text retry_after,
    uint64_t wall_ns,
    struct sw_outcome *ret_outcome
);

/** No answer: retryable, not a status of the peer. text is taken over, NULL: the words of err. */
void sw_answer_none(int err, struct sw_buf *text, struct sw_outcome *ret_outcome);

/** A permanent error of our own making, e.g. an answer that cannot be read. text: taken over. */
void sw_answer_permanent(int grpc_code, struct sw_buf *text, struct sw_outcome *ret_outcome);

/** The answer to an export in JSON, 2xx: ExportTraceServiceResponse and its siblings. Unknown members
 * are passed over.
 *
 * @param room  for the message, which is cut there; lives as long as *ret_response
 * @return 0; SW_E_MALFORMED
 */
SW_CHECKED int sw_answer_json(
    struct sw_http_text body,
    struct sw_export_response *ret_response,
    char *room,
    size_t room_size
);

/** grpc-message, decoded. NULL when out of memory. */
struct sw_buf *sw_answer_message(struct sw_http_text text);

/** grpc-status-details-bin, decoded. NULL: malformed or out of memory. */
struct sw_buf *sw_answer_details(struct sw_http_text text);

#endif
