/* OTLP/JSON: from JSON to the protobuf bytes that everything else works on, and back.
 *
 * Both directions are driven by one table of the messages (json_schema.c), build no tree, and work in
 * slices: a step reads or writes about as many bytes as it is told, so that a body of many MiB never
 * holds up a core. What they make lies in one charged buffer.
 *
 * Reading is the Collector's (v0.159 pdata/internal/json over json-iterator), errors and leniences
 * included: names in camelCase and snake_case, unknown ones ignored, a null for strings, messages and
 * lists, 64-bit numbers as numbers or strings, enums as numbers or full names, IDs in hex of any case,
 * bytes in padded base64, bytes behind the document ignored, no check of UTF-8, a lone surrogate
 * becomes U+FFFD. A few things are refused that it takes:
 *   - messages may nest SW_OTLP_DEPTH_MAX deep (it has no limit but its stack);
 *   - integers out of range that its check of overflow misses;
 *   - numbers, and strings that are to be numbers, of more than SW_JSON_NUMBER_MAX bytes.
 * What comes out is a valid request (validate.h) and needs no further check; it has field 1000 (the
 * scope list of 2021) where the JSON has it, whose items do not count, as in the Collector.
 *
 * Writing is its JSON marshaler's: order of members, defaults left out, escapes.
 *
 * One core at a time; no thread is asked for.
 */
#ifndef SW_OTLP_JSON_H
#define SW_OTLP_JSON_H

#include "dataplane/base/buf.h"
#include "dataplane/base/err.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/protobuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A slice that takes well under 100 µs. */
#define SW_JSON_SLICE (32u << 10)

#define SW_JSON_NUMBER_MAX     512
#define SW_JSON_FAULT_TEXT_MAX 640

/** What is wrong with the JSON, for the sender: the Collector's words, which quote the bytes around. */
struct sw_json_fault {
    uint32_t size;
    bool
        utf8; /**< false: the text quotes bytes that are no UTF-8 (the Collector then answers 500) */
    char text[SW_JSON_FAULT_TEXT_MAX]; /**< may hold NUL bytes; one stands behind it, too */
};

/* ---- JSON to protobuf ---- */

struct sw_json_reader;

/** Begins to read an export request of this signal.
 *
 * @param json     the whole document, below 2 GiB, borrowed until _free
 * @param account  charged with the protobuf buffer; may be NULL
 * @return NULL when out of memory
 */
struct sw_json_reader *
sw_json_reader_new(enum sw_signal signal, struct sw_bytes json, struct sw_account *account);

/** Reads on, about `most` bytes of JSON (at least one).
 *
 * @return 0 when the document is read; SW_E_AGAIN when there is more; SW_E_MALFORMED (see
 *         sw_json_reader_fault), SW_E_NOMEM, SW_E_TOO_LARGE (protobuf of 4 GiB): free it
 */
SW_CHECKED int sw_json_reader_step(struct sw_json_reader *reader, size_t most);

/** After SW_E_MALFORMED; lives as long as the reader. */
const struct sw_json_fault *sw_json_reader_fault(const struct sw_json_reader *reader);

/** After success: spans, data points or log records in it. */
uint32_t sw_json_reader_items_count(const struct sw_json_reader *reader);

/** After success, once: the request in protobuf; the caller owns the one reference. */
struct sw_buf *sw_json_reader_take(struct sw_json_reader *reader);

/** NULL is legal. */
void sw_json_reader_free(struct sw_json_reader *reader);

/* ---- protobuf to JSON ---- */

struct sw_json_writer;

/** Begins to write an export request as JSON: one object, no line feed.
 *
 * @param request  the encoded request, borrowed until _free
 * @param account  charged with the JSON buffer; may be NULL
 * @return NULL when out of memory
 */
struct sw_json_writer *
sw_json_writer_new(enum sw_signal signal, struct sw_bytes request, struct sw_account *account);

/** As above, of a batch, which lives until _free. Copied (charged, in slices) unless it lies in one
 * piece. */
struct sw_json_writer *
sw_json_writer_new_batch(const struct sw_batch *batch, struct sw_account *account);

/** Writes on, about `most` bytes of JSON.
 *
 * @return 0 when all is written; SW_E_AGAIN when there is more; SW_E_MALFORMED (bytes that did not pass
 *         validate.h), SW_E_NOMEM, SW_E_TOO_LARGE (JSON of 4 GiB): free it
 */
SW_CHECKED int sw_json_writer_step(struct sw_json_writer *writer, size_t most);

/** After success, once: the JSON; the caller owns the one reference. */
struct sw_buf *sw_json_writer_take(struct sw_json_writer *writer);

/** NULL is legal. */
void sw_json_writer_free(struct sw_json_writer *writer);

#endif
