#define FUZZ_CODING SW_CODING_LZ4
#include "codec.inc.c"
