/* The fuzz targets of the walkers, one a signal: any bytes, held against the reference validator and
 * protobuf-c. */
#ifndef SW_TESTS_LIB_OTLP_FUZZ_H
#define SW_TESTS_LIB_OTLP_FUZZ_H

#include "tests/lib/otlp_compare.h"

static inline void otlp_fuzz(enum sw_signal signal, const uint8_t *data, size_t size)
{
    if (otlp_compare(signal, data, size)) {
        return;
    }
    // What protobuf-c reads and we refuse is on the list in dataplane/otlp/validate.h and no more, but
    // for one thing: it takes a bool in whatever wire type it comes.
    ProtobufCMessage *request = oracle_unpack(signal, data, size);
    if (request == NULL) {
        return;
    }
    struct sw_otlp_counts counts;
    struct sw_otlp_fault fault;
    AGREE(sw_otlp_validate(signal, data, size, &counts, &fault) == SW_E_MALFORMED);
    AGREE(
        strstr(fault.text, "unmarshal: invalid ") != NULL
        || strstr(fault.text, "illegal field=") != NULL
        || strstr(fault.text, "recursion depth") != NULL
        || strstr(fault.text, "for field BoolValue") != NULL
        || strstr(fault.text, "for field IsMonotonic") != NULL
    );
    protobuf_c_message_free_unpacked(request, NULL);
}

#endif
