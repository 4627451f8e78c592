/* A body from its bytes as they came to a request that a pipeline may have: opened, read (JSON) or judged
 * (protobuf). What can take long (large bodies) is done in slices by a task; everything else at once. */
#include "dataplane/receive/receive_internal.h"

// Looked at in one step: validating costs about 0.2 ms a mebibyte, reading JSON some ten times that.
#define SLICE_BYTES      (1024u * 1024)
#define SLICE_JSON_BYTES (4 * SW_JSON_SLICE)
// Bodies up to this are decoded where they arrive.
#define AT_ONCE_BYTES      (512u * 1024)
#define AT_ONCE_JSON_BYTES SLICE_JSON_BYTES

/* ---- content codings ---- */

static bool is_grpc(const struct receive_call *call)
{
    return call->endpoint == &call->endpoint->receiver->grpc;
}

static void refuse_inflated(struct receive_call *call, int err, const char *why, bool at_header)
{
    uint32_t most = call->endpoint->message_max;
    struct sw_buf *text;
    if (err == SW_E_NOMEM) {
        sw_receive_call_refuse_err(call, RECEIVE_MEMORY, err);
    } else if (!is_grpc(call)) {
        // A snappy block is refused by what it says of itself, and so in words of its own.
        bool large = err == SW_E_TOO_LARGE;
        bool told = why[0] != '\0';
        text = sw_receive_text("%s", told ? why : "http: request body too large");
        enum receive_refusal refusal = large ? RECEIVE_TOO_LARGE : RECEIVE_CORRUPT;
        sw_receive_call_refuse_text(call, refusal, 400, SW_GRPC_INVALID_ARGUMENT, text);
    } else if (err == SW_E_TOO_LARGE) {
        text =
            sw_receive_text("grpc: received message after decompression larger than max %u", most);
        sw_receive_call_refuse_text(call, RECEIVE_TOO_LARGE, 0, SW_GRPC_RESOURCE_EXHAUSTED, text);
    } else {
        const char *words =
            at_header ? "failed to decompress the message" : "failed to read decompressed data";
        text = sw_receive_text("grpc: %s: %s", words, why);
        sw_receive_call_refuse_text(call, RECEIVE_CORRUPT, 0, SW_GRPC_INTERNAL, text);
    }
}

// In one step, whatever its size: the codec has no slices. A message of 4 MiB takes some 4 ms.
static bool inflate(struct receive_call *call)
{
    struct sw_otlp_receiver *receiver = call->endpoint->receiver;
    struct sw_buf *packed = call->body;
    struct sw_buf *plain = NULL;
    const char *why = "";
    bool at_header = false;
    int err = sw_codec_open(
        receiver->codec,
        call->coding,
        packed != NULL ? packed->data : (const uint8_t *)"",
        packed != NULL ? packed->size : 0,
        call->endpoint->message_max,
        receiver->core->account,
        &plain,
        &why,
        &at_header
    );
    if (err != SW_OK) {
        refuse_inflated(call, err, why, at_header);
        return false;
    }
    sw_buf_unref(packed);
    call->body = plain;
    call->coding = SW_CODING_NONE;
    return true;
}

/* ---- JSON ---- */

static void refuse_json(struct receive_call *call, int err)
{
    if (err != SW_E_MALFORMED) {
        sw_receive_call_refuse_err(call, RECEIVE_MEMORY, err);
        return;
    }
    const struct sw_json_fault *fault = sw_json_reader_fault(call->json);
    struct sw_buf *text = sw_buf_copy(NULL, fault->text, fault->size); // the reader goes first
    struct receive_answer answer = {
        .grpc_code = SW_GRPC_INVALID_ARGUMENT,
        .http_status = 400,
        .text = receive_buf_text(text),
        .unprintable = !fault->utf8,
    };
    sw_receive_call_refuse(call, RECEIVE_MALFORMED, &answer);
    sw_buf_unref(text);
}

static bool read_json(struct receive_call *call)
{
    struct sw_account *account = call->endpoint->receiver->core->account;
    struct sw_bytes text = {(const uint8_t *)"", 0};
    if (call->body != NULL) {
        text = (struct sw_bytes){call->body->data, call->body->size};
    }
    if (call->json == NULL) {
        call->json = sw_json_reader_new(call->signal, text, account);
        if (call->json == NULL) {
            sw_receive_call_refuse_err(call, RECEIVE_MEMORY, SW_E_NOMEM);
            return false;
        }
    }
    int err = sw_json_reader_step(call->json, SLICE_JSON_BYTES);
    if (err == SW_E_AGAIN) {
        return true;
    }
    if (err != SW_OK) {
        refuse_json(call, err);
        return false;
    }
    struct sw_buf *request = sw_json_reader_take(call->json);
    call->counts.items = sw_json_reader_items_count(call->json);
    sw_json_reader_free(call->json);
    call->json = NULL;
    sw_buf_unref(call->body);
    call->body = request;
    call->decoded_bytes = request->size; // valid as it is made
    call->is_json = false;
    return true;
}

/* ---- protobuf ---- */

// Whole fields of the request from `data` on, about a slice. Where the bytes make no sense it is all of
// them: the validator has the words for it.
static size_t slice_of(const uint8_t *data, size_t size)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    if (size <= SLICE_BYTES) {
        return size;
    }
    sw_pb_reader_init(&reader, (struct sw_bytes){data, size});
    while (sw_pb_next(&reader, &field)) {
        size_t end = (size_t)(reader.at - data);
        if (end >= SLICE_BYTES) {
            return end;
        }
    }
    return size;
}

// A request is the concatenation of its fields, so parts that hold whole ones are judged alone.
static bool validate(struct receive_call *call)
{
    struct sw_otlp_counts counts;
    struct sw_otlp_fault fault;
    const uint8_t *data = call->body->data + call->decoded_bytes;
    size_t size = slice_of(data, call->body->size - call->decoded_bytes);
    if (sw_otlp_validate(call->signal, data, size, &counts, &fault) != SW_OK) {
        struct sw_buf *text = NULL;
        if (is_grpc(call)) {
            text = sw_receive_text("grpc: error unmarshalling request: %s", fault.text);
            sw_receive_call_refuse_text(call, RECEIVE_MALFORMED, 0, SW_GRPC_INTERNAL, text);
        } else {
            text = sw_receive_text("%s", fault.text);
            sw_receive_call_refuse_text(
                call, RECEIVE_MALFORMED, 400, SW_GRPC_INVALID_ARGUMENT, text
            );
        }
        return false;
    }
    call->decoded_bytes += size;
    call->counts.resources += counts.resources;
    call->counts.items += counts.items;
    call->counts.migrate |= counts.migrate;
    return true;
}

// @return true when there is more to do; else the call may be gone
static bool decode_step(struct receive_call *call)
{
    if (call->coding != SW_CODING_NONE) {
        return inflate(call);
    }
    if (call->is_json) {
        return read_json(call);
    }
    bool otlp = call->method != METHOD_DECISIONS;
    if (otlp && call->body != NULL && call->decoded_bytes < call->body->size) {
        return validate(call);
    }
    sw_receive_call_hand_over(call);
    return false;
}

static bool decode_slice(struct sw_task *task, uint64_t now_ns)
{
    (void)now_ns;
    return decode_step(SW_CONTAINER_OF(task, struct receive_call, task));
}

void sw_receive_call_submit(struct receive_call *call, struct sw_buf *body)
{
    SW_ASSERT(call->state == CALL_BODY);
    call->state = CALL_DECODING;
    call->body = body;
    call->body_bytes = body != NULL ? body->size : 0;
    call->task.run = decode_slice;
    do {
        uint32_t at_once = call->is_json ? AT_ONCE_JSON_BYTES : AT_ONCE_BYTES;
        if (call->body != NULL && call->body->size > at_once) {
            sw_core_task(call->endpoint->receiver->core, &call->task);
            return;
        }
    } while (decode_step(call));
}
