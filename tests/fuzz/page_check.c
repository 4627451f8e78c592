/* The page checker over any bytes: it ends, reads within them, and tells the truth about how it ended. What
 * it passes has pages within the file and no more of them than there are. */
#include "storage/journal/page_check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_page_report report;
    int err = sw_page_check((struct sw_bytes){data, size}, &report);
    require(err == SW_OK || err == SW_E_MALFORMED);
    require((err == SW_OK) == (report.why == NULL));
    if (err == SW_OK) {
        require(report.last_page < size / SW_PAGE_BYTES && report.free_pages < report.last_page);
        // A record takes 24 bytes of a page at least, with its place.
        require(report.records < size / 24);
    } else {
        require(report.page == 0 || report.page < size / SW_PAGE_BYTES);
    }
    return 0;
}
