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

static void require_refusal(const struct smtp_reply *reply)
{
    require(reply->code == 501 || reply->code == 555);
}

static void check_mail_params(const struct smtp_path *path)
{
    struct smtp_mail_params params;
    struct smtp_reply reply;
    if (smtp_params_parse_mail(path->params, path->params_len, &params, &reply) != 1) {
        require_refusal(&reply);
        return;
    }
    require(params.size >= -1 && strlen(params.envid) <= SMTP_ENVID_MAX);
    for (const char *c = params.envid; *c; c++)
        require(*c > ' ' && *c <= '~' && *c != '=');
}

/* What is kept may be written into another command: one word, and ASCII unless UTF-8 was agreed on. */
static void check_rcpt_params(const struct smtp_path *path, bool is_smtputf8)
{
    struct smtp_rcpt_params params;
    struct smtp_reply reply;
    if (smtp_params_parse_rcpt(path->params, path->params_len, is_smtputf8, &params, &reply) != 1) {
        require_refusal(&reply);
        return;
    }
    require(!(params.notify & SMTP_DSN_NOTIFY_NEVER) || params.notify == SMTP_DSN_NOTIFY_NEVER);
    if (!params.orcpt)
        return;
    require_inside(params.orcpt, params.orcpt_len, path->params, path->params_len);
    require(params.orcpt_len <= SMTP_ORCPT_MAX && memchr(params.orcpt, ';', params.orcpt_len));
    for (size_t i = 0; i < params.orcpt_len; i++)
        require(params.orcpt[i] > ' ' || (is_smtputf8 && (params.orcpt[i] & 0x80)));
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
        check_mail_params(&path);
        check_rcpt_params(&path, true);
        check_rcpt_params(&path, false);
    }
    return 0;
}
