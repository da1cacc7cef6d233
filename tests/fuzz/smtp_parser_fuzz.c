/* Command lines, as far as MAIL and RCPT take them apart. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_address.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_parser.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Slices lie within what they were cut from. */
static void require_inside(const char *slice, size_t len, const char *whole, size_t whole_len)
{
    require(slice >= whole && len <= whole_len && slice + len <= whole + whole_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    struct smtp_command command;
    if (smtp_parse_command(line, size, &command) != 1)
        return 0;
    require(command.verb_len > 0);
    require_inside(command.verb, command.verb_len, line, size);
    require_inside(command.args, command.args_len, line, size);

    static const char *const keywords[] = { "FROM", "TO" };
    for (int i = 0; i < 2; i++) {
        struct smtp_path path;
        struct smtp_address address;
        struct smtp_mail_params params;
        struct smtp_reply reply;
        if (smtp_parse_path(command.args, command.args_len, keywords[i], &path) != 1)
            continue;
        require_inside(path.mailbox, path.mailbox_len, line, size);
        require_inside(path.params, path.params_len, line, size);
        if (smtp_address_parse(path.mailbox, path.mailbox_len, &address) == 1) {
            char text[SMTP_ADDRESS_MAX + 2];
            struct smtp_address again;
            smtp_address_format(&address, text);
            require(smtp_address_parse(text, strlen(text), &again) == 1);
        }
        if (smtp_params_parse_mail(path.params, path.params_len, &params, &reply) == 1)
            require(params.size >= -1);
        else
            require(reply.code == 501 || reply.code == 555);
    }
    return 0;
}
