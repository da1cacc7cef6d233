/* crc32c.h - CRC-32C (Castagnoli, reflected, RFC 3720 appendix B.4), as TMTP's headsum uses it */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t len); /* start with 0; continue with the previous result */
