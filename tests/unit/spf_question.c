#include "tests/unit/spf_question.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/dns_table.h"

/* Any text with an "@": checks must cope with senders that smtp_address_parse() refuses. */
static bool read_sender(const char *text, struct smtp_address *address_out)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || (size_t)(at - text) > SMTP_LOCAL_MAX || strlen(at + 1) > SMTP_DOMAIN_MAX)
        return false;
    if (smtp_address_parse(text, strlen(text), address_out) == 1)
        return true;
    snprintf(address_out->local, sizeof address_out->local, "%.*s", (int)(at - text), text);
    snprintf(address_out->domain, sizeof address_out->domain, "%s", at + 1);
    return true;
}

bool spf_question_parse(char *line, struct spf_request *request_out)
{
    char *rest = NULL;
    char *client = line[0] == '?' ? strtok_r(line + 1, " ", &rest) : NULL;
    char *helo = strtok_r(NULL, " ", &rest);
    char *sender = strtok_r(NULL, " ", &rest);
    if (client == NULL || helo == NULL || sender == NULL)
        return false;
    (void)dns_table_unescape(helo);
    (void)dns_table_unescape(sender);
    *request_out = (struct spf_request){
        .client = client,
        .helo = strcmp(helo, "-") == 0 ? "" : helo,
        .receiver = "mx.receiver.example",
        .now = SPF_QUESTION_NOW,
    };
    return strcmp(sender, "<>") == 0 || read_sender(sender, &request_out->sender);
}
