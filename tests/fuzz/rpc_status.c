/* Status messages, export replies and gRPC trailers from a hostile peer. The first byte says which. */
#include "dataplane/otlp/status.h"
#include "tests/lib/otlp_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool valid_utf8_json(const char *text, size_t size)
{
    // No control characters, quotes in pairs that are not escaped: enough to see a broken string.
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)text[i] < 0x20) {
            return false;
        }
        if (in_string && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            in_string = !in_string;
        }
    }
    return !in_string && size >= 2 && text[0] == '{' && text[size - 1] == '}';
}

static void try_status(struct sw_bytes bytes)
{
    struct sw_rpc_status status;
    int err = sw_rpc_status_decode(bytes, &status);
    Oracle__RpcStatus *other = oracle__rpc_status__unpack(NULL, bytes.size, bytes.data);
    if (err == SW_OK && other != NULL) {
        AGREE(status.code == other->code);
        AGREE(same_bytes(status.message, other->message));
        AGREE((status.details.size > 0) == (other->n_details > 0));
    }
    if (err == SW_OK) {
        size_t needed = sw_rpc_status_encode(&status, NULL, 0);
        uint8_t *again = malloc(needed + 1);
        AGREE(sw_rpc_status_encode(&status, again, needed) == needed);
        struct sw_rpc_status second;
        AGREE(sw_rpc_status_decode((struct sw_bytes){again, needed}, &second) == SW_OK);
        AGREE(second.code == status.code && sw_bytes_equal(second.message, status.message));
        AGREE(second.has_retry_info == status.has_retry_info);
        AGREE(second.retry_delay_ns == status.retry_delay_ns);
        needed = sw_rpc_status_encode_json(&status, NULL, 0);
        char *json = malloc(needed + 1);
        AGREE(sw_rpc_status_encode_json(&status, json, needed) == needed);
        AGREE(valid_utf8_json(json, needed));
        free(json);
        free(again);
    }
    if (other != NULL) {
        oracle__rpc_status__free_unpacked(other, NULL);
    }
}

static unsigned occurrences(struct sw_bytes bytes, uint32_t number)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    unsigned count = 0;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        count += field.tag >> 3 == number;
    }
    return count;
}

static void try_response(struct sw_bytes bytes)
{
    struct sw_export_response response;
    int err = sw_export_response_decode(bytes, &response);
    Oracle__Response *other = oracle__response__unpack(NULL, bytes.size, bytes.data);
    // protobuf-c 1.4 loses scalars when it merges two occurrences.
    if (err == SW_OK && other != NULL && occurrences(bytes, 1) <= 1) {
        const Oracle__Partial *partial = other->partial_success;
        AGREE(response.rejected == (partial != NULL ? partial->rejected : 0));
        AGREE(
            partial == NULL ? response.message.size == 0
                            : same_bytes(response.message, partial->error_message)
        );
    }
    if (other != NULL) {
        oracle__response__free_unpacked(other, NULL);
    }
    if (err == SW_OK) {
        size_t needed = sw_export_response_encode(&response, NULL, 0);
        uint8_t *again = malloc(needed + 1);
        AGREE(sw_export_response_encode(&response, again, needed) == needed);
        struct sw_export_response second;
        AGREE(sw_export_response_decode((struct sw_bytes){again, needed}, &second) == SW_OK);
        AGREE(second.rejected == response.rejected);
        AGREE(sw_bytes_equal(second.message, response.message));
        free(again);
    }
}

static void try_trailers(struct sw_bytes bytes)
{
    uint8_t *out = malloc(bytes.size + 4);
    size_t size = sw_grpc_message_decode(bytes, out);
    AGREE(size <= bytes.size);
    // What we encode comes back as it was, whatever it is.
    size_t needed = sw_grpc_message_encode(bytes, NULL, 0);
    char *text = malloc(needed + 1);
    AGREE(sw_grpc_message_encode(bytes, text, needed) == needed);
    struct sw_bytes encoded = {(const uint8_t *)text, needed};
    size = sw_grpc_message_decode(encoded, (uint8_t *)text);
    AGREE(sw_bytes_equal((struct sw_bytes){(uint8_t *)text, size}, bytes));
    free(text);
    if (sw_base64_decode(bytes, out, &size) == SW_OK) {
        AGREE(size <= bytes.size / 4 * 3 + 2);
    }
    for (int padded = 0; padded < 2; padded++) {
        needed = sw_base64_encode(bytes, padded, NULL, 0);
        text = malloc(needed + 1);
        AGREE(sw_base64_encode(bytes, padded, text, needed) == needed);
        encoded = (struct sw_bytes){(const uint8_t *)text, needed};
        uint8_t *back = malloc(needed / 4 * 3 + 2);
        AGREE(sw_base64_decode(encoded, back, &size) == SW_OK);
        AGREE(sw_bytes_equal((struct sw_bytes){back, size}, bytes));
        free(back);
        free(text);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    // A copy of its own, so that a sanitizer sees the first byte read outside.
    uint8_t *copy = malloc(size - 1);
    if (size > 1) {
        memcpy(copy, data + 1, size - 1);
    }
    struct sw_bytes bytes = {copy, size - 1};
    switch (data[0] % 3) {
    case 0:
        try_status(bytes);
        break;
    case 1:
        try_response(bytes);
        break;
    default:
        try_trailers(bytes);
        break;
    }
    free(copy);
    return 0;
}
