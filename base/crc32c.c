#include "base/crc32c.h"

/* The remainders of the sixteen 4-bit values for the reflected polynomial 0x82F63B78. Half a byte at a time is
 * fast enough for headers and leaves a table that can be checked by eye. */
static const uint32_t nibble_remainder[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
    0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
};

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ nibble_remainder[crc & 0x0F];
        crc = (crc >> 4) ^ nibble_remainder[crc & 0x0F];
    }
    return ~crc;
}
