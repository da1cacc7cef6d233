/* Headers of the PROXY protocol: whole, and in pieces as the first byte says; both must come to the same end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_access.h"
#include "smtp/smtp_proxy.h"

static void require(int holds)
{
    if (!holds)
        abort();
}

/* Returns the result; *taken_out is how much of the input belongs to the header. */
static int feed(struct smtp_proxy_parser *parser, const uint8_t *data, size_t size, size_t step, size_t *taken_out)
{
    int result = 0;
    *taken_out = 0;
    while (result == 0 && *taken_out < size) {
        size_t needs = smtp_proxy_parser_needs(parser);
        size_t len = step == 0 ? needs : step; /* 0: never more than is needed */
        const char *fault = NULL;
        require(needs > 0);
        if (len > size - *taken_out)
            len = size - *taken_out;
        const uint8_t *piece = data + *taken_out;
        size_t left = len;
        result = smtp_proxy_parser_feed(parser, &piece, &left, &fault);
        require(piece == data + *taken_out + (len - left));
        require(result != 0 || left == 0);
        require(step != 0 || left == 0); /* needs never asks for more than there is */
        require((result < 0) == (fault != NULL));
        *taken_out += len - left;
    }
    require(*taken_out <= SMTP_PROXY_HEADER_MAX);
    return result;
}

static void check_client(const char *client)
{
    static const char *const everywhere[] = { "::/0", NULL };
    char *error = NULL;
    if (*client == '\0')
        return;
    char *address = smtp_access_address_of_peer(client);
    struct smtp_access *access = smtp_access_new(everywhere, &error);
    require(smtp_access_allows(access, address));
    smtp_access_free(&access);
    free(address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct smtp_proxy_parser *whole = smtp_proxy_parser_new();
    struct smtp_proxy_parser *pieces = smtp_proxy_parser_new();
    size_t taken_whole;
    size_t taken_pieces;
    int result = feed(whole, data + 1, size - 1, size, &taken_whole);
    require(feed(pieces, data + 1, size - 1, data[0], &taken_pieces) == result);
    if (result == 1) {
        require(smtp_proxy_parser_needs(whole) == 0);
        require(taken_whole == taken_pieces);
        require(strcmp(smtp_proxy_parser_client(whole), smtp_proxy_parser_client(pieces)) == 0);
        check_client(smtp_proxy_parser_client(whole));
    }
    smtp_proxy_parser_free(&whole);
    smtp_proxy_parser_free(&pieces);
    return 0;
}
