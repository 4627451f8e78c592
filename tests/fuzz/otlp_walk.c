/* Validation and walker on any bytes, held against the reference validator and protobuf-c. */
#include "tests/lib/otlp_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool valid = otlp_compare(data, size);
    // What protobuf-c reads and we refuse is on the list in dataplane/otlp/validate.h and no more, but
    // for one thing: it takes a bool in whatever wire type it comes.
    if (!valid) {
        Oracle__Request *request = oracle__request__unpack(NULL, size, data);
        if (request != NULL) {
            struct sw_otlp_counts counts;
            struct sw_otlp_fault fault;
            AGREE(sw_otlp_traces_validate(data, size, &counts, &fault) == SW_E_MALFORMED);
            AGREE(
                strstr(fault.text, "unmarshal: invalid ") != NULL
                || strstr(fault.text, "illegal field=") != NULL
                || strstr(fault.text, "recursion depth") != NULL
                || strstr(fault.text, "for field BoolValue") != NULL
            );
            oracle__request__free_unpacked(request, NULL);
        }
    }
    return 0;
}
