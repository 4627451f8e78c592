/* What an export is answered with: the reply message, google.rpc.Status with RetryInfo, and how both
 * travel (gRPC trailers, HTTP bodies in protobuf and JSON). Bytes from peers are borrowed, bounded by
 * what was given, and never trusted. Any thread, no allocation.
 *
 * Functions that write take a capacity and return the bytes that are needed; when that is more than the
 * capacity nothing useful was written (as snprintf, without the NUL). out may be NULL for capacity 0.
 */
#ifndef SW_OTLP_STATUS_H
#define SW_OTLP_STATUS_H

#include "dataplane/otlp/protobuf.h"

/* ---- google.rpc.Status ---- */

struct sw_rpc_status {
    int32_t code; /**< gRPC status code */
    struct sw_bytes message;
    bool has_retry_info;
    uint64_t retry_delay_ns; /**< of RetryInfo; 0: retryable, no minimum */
    /** A serialized Status whose `details` fields are taken over by the encoders, whatever they are; then
     * has_retry_info is not looked at. Empty: only what stands above. */
    struct sw_bytes details;
};

/** Reads a serialized Status. The first RetryInfo counts (as in the Collector's exporter); details is the
 * input when it has any.
 *
 * @return 0 or SW_E_MALFORMED (a field cannot be read or has a wrong type; *ret_status untouched)
 */
SW_CHECKED int sw_rpc_status_decode(struct sw_bytes bytes, struct sw_rpc_status *ret_status);

size_t sw_rpc_status_encode(const struct sw_rpc_status *status, uint8_t *out, size_t capacity);

/** The JSON form: {"code":14,"message":"…","details":[{"@type":"…","retryDelay":"5s"}]}. Code 0, an empty
 * message and absent details are left out; invalid UTF-8 becomes U+FFFD. A detail other than RetryInfo is
 * given as {"@type","value"} with the value in base64. */
size_t sw_rpc_status_encode_json(const struct sw_rpc_status *status, char *out, size_t capacity);

/* ---- Export…ServiceResponse, the same in all signals ---- */

struct sw_export_response {
    bool has_partial; /**< partial_success is set and says something */
    int64_t rejected; /**< spans, data points, records; as sent, may be absurd */
    struct sw_bytes message;
};

/** @return 0 or SW_E_MALFORMED (*ret_response untouched). Empty bytes are a success. */
SW_CHECKED int
sw_export_response_decode(struct sw_bytes bytes, struct sw_export_response *ret_response);

size_t
sw_export_response_encode(const struct sw_export_response *response, uint8_t *out, size_t capacity);

/** Success as the Collector sends it: partial_success present and empty. */
#define SW_EXPORT_SUCCESS      SW_BYTES("\x0a\x00")
#define SW_EXPORT_SUCCESS_JSON SW_BYTES("{\"partialSuccess\":{}}")

/* ---- gRPC trailers ---- */

/** grpc-message: bytes 0x20 to 0x7e except % stay, all others become %XX. */
size_t sw_grpc_message_encode(struct sw_bytes text, char *out, size_t capacity);

/** A percent sign that no two hexadecimal digits follow stays as it is, as in grpc-go.
 *
 * @param out  at least text.size bytes; may be text.data itself
 * @return bytes written
 */
size_t sw_grpc_message_decode(struct sw_bytes text, uint8_t *out);

/** grpc-status-details-bin goes without padding, JSON wants it. */
size_t sw_base64_encode(struct sw_bytes bytes, bool padded, char *out, size_t capacity);

/** With or without padding, as grpc-go's reading of -bin headers.
 *
 * @param out       at least text.size / 4 * 3 + 2 bytes
 * @param ret_size  bytes written
 * @return 0 or SW_E_MALFORMED
 */
SW_CHECKED int sw_base64_decode(struct sw_bytes text, uint8_t *out, size_t *ret_size);

#endif
