/* Validation and walker on any bytes, taken for a logs request. */
#include "tests/lib/otlp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    otlp_fuzz(SW_LOGS, data, size);
    return 0;
}
