/* JSON read and written whole, for tests; failures of the reader come back, others end the test. */
#ifndef SW_TESTS_LIB_JSON_H
#define SW_TESTS_LIB_JSON_H

#include "dataplane/otlp/json.h"

#include <stdlib.h>
#include <string.h>

struct json_reading {
    int err;
    struct sw_buf *request; // the caller's; NULL after an error
    uint32_t items_count;
    unsigned steps_count;
    struct sw_json_fault fault;
};

static inline struct json_reading
json_read(enum sw_signal signal, struct sw_bytes json, size_t most, struct sw_account *account)
{
    struct json_reading reading = {.err = SW_E_NOMEM};
    struct sw_json_reader *reader = sw_json_reader_new(signal, json, account);
    if (reader == NULL) {
        return reading;
    }
    do {
        reading.err = sw_json_reader_step(reader, most);
        reading.steps_count++;
    } while (reading.err == SW_E_AGAIN);
    if (reading.err == SW_OK) {
        reading.items_count = sw_json_reader_items_count(reader);
        reading.request = sw_json_reader_take(reader);
    } else if (reading.err == SW_E_MALFORMED) {
        reading.fault = *sw_json_reader_fault(reader);
    }
    sw_json_reader_free(reader);
    return reading;
}

static inline int json_finish(struct sw_json_writer *writer, size_t most, struct sw_buf **ret_json)
{
    int err = SW_E_NOMEM;
    if (writer != NULL) {
        do {
            err = sw_json_writer_step(writer, most);
        } while (err == SW_E_AGAIN);
        if (err == SW_OK) {
            *ret_json = sw_json_writer_take(writer);
        }
        sw_json_writer_free(writer);
    }
    return err;
}

static inline int json_write(
    enum sw_signal signal,
    struct sw_bytes request,
    size_t most,
    struct sw_account *account,
    struct sw_buf **ret_json
)
{
    return json_finish(sw_json_writer_new(signal, request, account), most, ret_json);
}

static inline struct sw_bytes json_bytes(const struct sw_buf *buf)
{
    return (struct sw_bytes){buf->data, buf->size};
}

#endif
