/* The appliance file on any text. */
#include "control/appliance/appliance.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

// The text in work when libconfig 1.5 meets a syntax error is lost to it.
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_appliance *appliance = NULL;
    char error[256] = "";
    char *text = sw_strndup((const char *)data, size);
    SW_ASSERT(text != NULL);
    // libconfig would read files of this machine.
    if (strstr(text, "@include") == NULL) {
        int err = sw_appliance_load_text("input", text, &appliance, error, sizeof(error));
        SW_ASSERT(err == SW_OK || err == SW_E_INVALID);
        SW_ASSERT((err == SW_OK) == (appliance != NULL) && (err == SW_OK) == (error[0] == '\0'));
        SW_ASSERT(err != SW_OK || appliance->workers_count <= SW_APPLIANCE_WORKERS_MAX);
        SW_ASSERT(err != SW_OK || appliance->drain.deadline_ns >= 0);
    }
    sw_appliance_free(appliance);
    sw_free(text);
    return 0;
}
