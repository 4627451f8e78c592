#include "dataplane/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void sw_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "spanweir: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}
