/* Attributes of XCLIENT and XFORWARD, as the first byte says; what is understood goes into a Received field, which must stay
 * one field. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_address.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_received.h"

static void require(int holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text)
{
    require(text[0] == '\0' || smtp_text_is_clean_utf8(text, strlen(text)));
}

static void check_origin(const struct smtp_origin *origin)
{
    uint8_t bytes[SMTP_ACCESS_ADDRESS_SIZE];
    check_text(origin->name);
    check_text(origin->port);
    check_text(origin->helo);
    check_text(origin->protocol);
    check_text(origin->ident);
    check_text(origin->login);
    check_text(origin->source);
    require(origin->address[0] == '\0' || smtp_access_read(origin->address, bytes));
}

static void check_received(const struct smtp_origin *origin, bool is_smtputf8)
{
    struct strbuf field;
    struct smtp_received received = {
        .helo = origin->helo,
        .name = origin->name,
        .address = origin->address,
        .via = "192.0.2.1",
        .hostname = "gw.example.org",
        .protocol = "ESMTP",
        .id = "1-1",
        .is_smtputf8 = is_smtputf8,
    };
    strbuf_init(&field, SMTP_RECEIVED_MAX);
    smtp_received_compose(&received, &field);
    require(strbuf_ok(&field) && field.len > 2);
    for (size_t i = 0; i + 2 < field.len; i++) {
        unsigned char c = (unsigned char)field.data[i];
        require(c != '\0' && (is_smtputf8 || c < 0x80));
        require((c == '\n') == (i > 0 && field.data[i - 1] == '\r'));
        require(c != '\n' || field.data[i + 1] == '\t');
    }
    strbuf_free(&field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum smtp_origin_command command = data[0] & 1 ? SMTP_ORIGIN_XCLIENT : SMTP_ORIGIN_XFORWARD;
    struct smtp_origin origin = { .name = "" };
    const struct smtp_origin nothing = origin;
    const char *fault = NULL;
    int result = smtp_origin_parse((const char *)data + 1, size - 1, command, &origin, &fault);
    require((result < 0) == (fault != NULL));
    if (result < 0) {
        require(memcmp(&origin, &nothing, sizeof origin) == 0);
        return 0;
    }
    check_origin(&origin);
    check_received(&origin, data[0] & 2);
    return 0;
}
