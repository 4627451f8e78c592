#define FUZZ_CODING SW_CODING_SNAPPY_FRAMED
#include "codec.inc.c"
