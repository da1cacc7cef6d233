/* gateway_postfix_request_fuzz.c - policy requests: the same come out however the bytes are divided; senders' forms parse */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/envelope.h"
#include "gateway/postfix_request.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Every form of an address is an address, normalised. */
static void check_forms(const char *sender)
{
    struct smtp_address address, again, forms[ENVELOPE_FORMS_MAX];
    char text[SMTP_ADDRESS_MAX + 2];
    if (smtp_address_parse(sender, strlen(sender), &address) != 1)
        return;
    size_t count = envelope_forms(&address, forms);
    require(count >= 1 && count <= ENVELOPE_FORMS_MAX);
    for (size_t i = 0; i < count; i++) {
        smtp_address_format(&forms[i], text);
        require(smtp_address_parse(text, strlen(text), &again) == 1 && smtp_address_equal(&again, &forms[i]));
    }
}

static char *read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct postfix_request *request = calloc(1, sizeof *request);
    struct strbuf out;
    strbuf_init(&out, 2 * size + 100);
    int result = 0;
    for (size_t at = 0; at < size && result >= 0;) {
        size_t part = size - at < piece ? size - at : piece, used;
        result = postfix_request_feed(request, data + at, part, &used);
        require(used <= part && (result != 0 || used == part));
        at += used;
        if (result == 1) {
            check_forms(request->sender);
            strbuf_add_fmt(&out, "%s|%s|%s|%s|%s\n", request->kind, request->protocol_state, request->sender,
                           request->recipient, request->size);
        }
    }
    strbuf_add_str(&out, result < 0 ? "!" : ".");
    free(request);
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
