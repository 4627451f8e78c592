#define FUZZ_CODING SW_CODING_SNAPPY
#include "codec.inc.c"
