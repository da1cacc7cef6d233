/* netstring.c - see netstring.h */
#include "gateway/netstring.h"

#include <stdbool.h>
#include <string.h>

enum { DIGITS_MAX = 4 }; /* of NETSTRING_MAX; "0012" is not the form of a length anyway */

/* Returns the state that follows. */
static enum netstring_state take_length(struct netstring *netstring, uint8_t c)
{
    if (c == ':' && netstring->digits > 0)
        return netstring->length > 0 ? NETSTRING_DATA : NETSTRING_COMMA;
    bool after_zero = netstring->digits > 0 && netstring->length == 0;
    if (c < '0' || c > '9' || after_zero || netstring->digits == DIGITS_MAX)
        return NETSTRING_BROKEN;
    netstring->length = netstring->length * 10 + (size_t)(c - '0');
    netstring->digits++;
    return netstring->length > NETSTRING_MAX ? NETSTRING_BROKEN : NETSTRING_LENGTH;
}

static size_t take_data(struct netstring *netstring, const uint8_t *data, size_t len)
{
    size_t missing = netstring->length - netstring->len;
    size_t taken = len < missing ? len : missing;
    memcpy(netstring->data + netstring->len, data, taken);
    netstring->len += taken;
    if (netstring->len == netstring->length)
        netstring->state = NETSTRING_COMMA;
    return taken;
}

int netstring_feed(struct netstring *netstring, const uint8_t *data, size_t len, size_t *used_out)
{
    size_t used = 0;
    if (netstring->state == NETSTRING_DONE) {
        netstring->state = NETSTRING_LENGTH;
        netstring->length = netstring->digits = netstring->len = 0;
    }
    while (used < len && netstring->state < NETSTRING_DONE) {
        if (netstring->state == NETSTRING_DATA)
            used += take_data(netstring, data + used, len - used);
        else if (netstring->state == NETSTRING_LENGTH)
            netstring->state = take_length(netstring, data[used++]);
        else
            netstring->state = data[used++] == ',' ? NETSTRING_DONE : NETSTRING_BROKEN;
    }
    *used_out = used;
    if (netstring->state == NETSTRING_BROKEN)
        return -1;
    netstring->data[netstring->len] = '\0';
    return netstring->state == NETSTRING_DONE;
}
