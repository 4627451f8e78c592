#define FUZZ_CODING SW_CODING_ZSTD
#include "codec.inc.c"
