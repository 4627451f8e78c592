/* What a gateway that is about to end tells its gRPC clients when its notice begins: the debug data of the
 * GOAWAY, "spanweir-drain/1 notice_ms=30000" (docs/peer-protocol.md). It goes on taking requests, over new
 * connections, until the notice ends. To clients that do not know it, it is a GOAWAY like any other. */
#ifndef SW_PIPELINE_DRAIN_NOTICE_H
#define SW_PIPELINE_DRAIN_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_DRAIN_NOTICE_TEXT 64 /**< bytes, with the NUL */

/** What is told of a longer notice, and believed of a peer. */
#define SW_DRAIN_NOTICE_MAX_NS (UINT64_C(3600) * 1000000000)

void sw_drain_notice_write(uint64_t notice_ns, char ret_text[SW_DRAIN_NOTICE_TEXT]);

/** @param text  debug data, of anybody
 * @return true: it is such a notice, of whatever version */
bool sw_drain_notice_read(const char *text, size_t len, uint64_t *ret_notice_ns);

#endif
