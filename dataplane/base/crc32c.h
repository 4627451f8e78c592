/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of whole records; over ISA-L. Any thread. */
#ifndef SW_BASE_CRC32C_H
#define SW_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** @param crc  0, or what the bytes in front of these gave */
uint32_t sw_crc32c(uint32_t crc, const void *data, size_t size);

#endif
