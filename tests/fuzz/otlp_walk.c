/* Validation and walker on any bytes, taken for a trace request. */
#include "tests/lib/otlp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    otlp_fuzz(SW_TRACES, data, size);
    return 0;
}
