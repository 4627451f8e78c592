#define FUZZ_CODING SW_CODING_ZLIB
#include "codec.inc.c"
