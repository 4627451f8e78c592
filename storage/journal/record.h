/* A record of the store: one request of one exporter, with everything that is needed to send it, so that it
 * can be found and read without the tree around it.
 *
 * Form, version 1, little-endian:
 *
 *    0  4  magic "SWR1"
 *    4  4  CRC-32C of all that follows, to the record's end
 *    8  4  size of the whole record in bytes
 *   12  1  version: 1
 *   13  1  signal: 0 traces, 1 metrics, 2 logs
 *   14  2  size of the exporter's ID
 *   16  8  sequence number in its queue, from 1
 *   24  4  items: spans, data points, log records
 *   28  4  size of the client
 *   32  8  when it was taken in, nanoseconds since 1970
 *   40     the exporter's ID, the client, the request (OTLP protobuf)
 *
 * The client: number of pairs, then the address, then names and values of the pairs in turn; numbers and the
 * sizes in front of texts have four bytes. Empty: nobody in particular.
 */
#ifndef SW_JOURNAL_RECORD_H
#define SW_JOURNAL_RECORD_H

#include "dataplane/base/err.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/protobuf.h"

#include <stddef.h>
#include <stdint.h>

#define SW_RECORD_HEAD_BYTES 40
#define SW_RECORD_VERSION    1
#define SW_RECORD_ID_MAX     1024

struct sw_record {
    enum sw_signal signal;
    uint32_t items_count;
    uint64_t seq;
    uint64_t accepted_wall_ns;
    struct sw_bytes exporter;
    struct sw_bytes client;
    struct sw_bytes request;
};

/** Bytes of the record of a batch. */
uint64_t sw_record_size(const char *exporter, const struct sw_batch *batch);

/** Writes the record of a batch.
 *
 * @param out  has sw_record_size bytes, at most UINT32_MAX
 */
void sw_record_write(
    const char *exporter,
    const struct sw_batch *batch,
    uint64_t seq,
    uint64_t accepted_wall_ns,
    uint8_t *out
);

/** Reads the record at the start of bytes, which may be longer; everything is checked.
 *
 * @param ret_record  its ranges lie in bytes
 * @return the record's size; 0: there is none
 */
size_t sw_record_read(struct sw_bytes bytes, struct sw_record *ret_record);

struct sw_record_measure {
    uint64_t record_bytes;
    uint64_t request_bytes;
    uint32_t items_count;
};

/** What a record counts for, by its head alone: for one that is about to go, damaged or not. */
void sw_record_measure(struct sw_bytes record, struct sw_record_measure *ret_measure);

/** The client of a record that was read.
 *
 * @return 0 (*ret_client NULL: nobody in particular), SW_E_NOMEM, SW_E_MALFORMED
 */
SW_CHECKED int sw_record_client(
    const struct sw_record *record,
    struct sw_account *account,
    struct sw_client **ret_client
);

/** Finds records anywhere in bytes, whole or not, of a file or of none: what has the magic, fits, and has the
 * right sum. A record may be found that was released long ago: pages are not wiped.
 *
 * @param at  where to look from, 0 at first; set to behind the record
 * @return false: there are no more
 */
bool sw_record_find(struct sw_bytes bytes, size_t *at, struct sw_record *ret_record);

#endif
