/* gateway_netstring_fuzz.c - netstrings: the same strings come out however the bytes are divided, none above the limit */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/netstring.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* All strings, each written as a netstring again; then "!" if the input is none. */
static char *read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct netstring *netstring = calloc(1, sizeof *netstring);
    struct strbuf out;
    strbuf_init(&out, 4 * size + 100);
    int result = 0;
    for (size_t at = 0; at < size && result >= 0;) {
        size_t part = size - at < piece ? size - at : piece, used;
        result = netstring_feed(netstring, data + at, part, &used);
        require(used <= part && (result == 1 || result < 0 || used == part));
        at += used;
        if (result == 1) {
            require(netstring->len <= NETSTRING_MAX && netstring->data[netstring->len] == '\0');
            strbuf_add_fmt(&out, "%zu:", netstring->len);
            strbuf_add(&out, netstring->data, netstring->len);
            strbuf_add_char(&out, ',');
            require(out.len <= size && memcmp(out.data, data, out.len) == 0);
        }
    }
    if (result < 0)
        strbuf_add_char(&out, '!');
    require(strbuf_ok(&out));
    free(netstring);
    return strbuf_detach(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *whole = read_all(data, size, size + 1), *bytes = read_all(data, size, 1);
    require(strcmp(whole, bytes) == 0);
    free(whole);
    free(bytes);
    return 0;
}
