#define FUZZ_CODING SW_CODING_GZIP
#include "codec.inc.c"
