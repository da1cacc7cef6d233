/* policy.c - the verdicts; see the table "What a mail sender is told" in docs/MANUAL.md */
#include "gateway/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    RECEIVED_MAX = 100, /* RFC 5321 section 6.3 */
    NAME_SHOWN_MAX = 60,
    ALLOWED_SHOWN_MAX = 100,
};

static struct policy_verdict verdict(enum policy_decision decision, struct smtp_reply reply)
{
    struct policy_verdict v = { .decision = decision, .reply = reply };
    snprintf(v.reason, sizeof v.reason, "%.*s", (int)sizeof v.reason - 1, reply.text);
    return v;
}

static struct policy_verdict accept_because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct policy_verdict accept_because(const char *fmt, ...)
{
    struct policy_verdict v = { .decision = POLICY_ACCEPT, .reply = smtp_reply_make(250, "2.1.5", "ok") };
    va_list args;
    va_start(args, fmt);
    vsnprintf(v.reason, sizeof v.reason, fmt, args);
    va_end(args);
    return v;
}

static struct policy_verdict database_trouble(void)
{
    return verdict(POLICY_DEFER, smtp_reply_make(451, "4.3.0", "local error, please try again later"));
}

/* NULL: it is good. */
static const char *const return_problems[] = {
    [POLICY_RETURN_NONE] = NULL,
    [POLICY_RETURN_FORGED] = "this is not the return address of a message from here",
    [POLICY_RETURN_EXPIRED] = "reports about this message are no longer accepted",
    [POLICY_RETURN_UNKNOWN] = "the message that this would be a report about is not known here",
    [POLICY_RETURN_FULL] = "too much has come back about this message",
    [POLICY_RETURN_GOOD] = NULL,
};

static struct policy_verdict judge_return(const struct policy_recipient_facts *facts)
{
    const char *problem = return_problems[facts->return_state];
    if (problem)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s>: %s", facts->recipient, problem));
    return accept_because("it is a return address of ours");
}

struct policy_verdict policy_judge_recipient(const struct policy_recipient_facts *facts)
{
    if (facts->database_failed)
        return database_trouble();
    if (!smtp_domain_equal(facts->domain, facts->our_domain))
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s>: relaying denied", facts->recipient));
    if (facts->return_state != POLICY_RETURN_NONE)
        return judge_return(facts);
    if (!facts->recipient_exists)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.1.1", "<%s>: no such recipient", facts->recipient));
    if (facts->sender && !facts->sender[0])
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s>: bounces are accepted for our own mail only",
                                                      facts->recipient));
    if (!facts->any_inbound_mapping && !facts->sender)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "nobody may write to <%s>", facts->recipient));
    if (!facts->any_inbound_mapping)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s> is not authorised to write to <%s>",
                                                      facts->sender, facts->recipient));
    if (!facts->is_reachable)
        return verdict(POLICY_DEFER, smtp_reply_make(450, "4.2.1", "<%s> %s, please try again later", facts->recipient,
                                                     facts->is_group ? "is a group that is not ready yet"
                                                                     : "has not yet agreed to receive mail"));
    return accept_because("%s is a %s", facts->recipient, facts->is_group ? "group" : "member");
}

struct policy_verdict policy_judge_proof(const struct proof *proof, enum config_proof required, const char *from_domain)
{
    bool is_dkim = required == CONFIG_PROOF_DKIM;
    const char *test = is_dkim ? "DKIM" : "DMARC";
    enum auth_result result = is_dkim ? proof->dkim : proof->dmarc;
    if (proof->is_assumed)
        return accept_because("the listener is for a trusted network (assume_authenticated)");
    if (required == CONFIG_PROOF_NONE)
        return accept_because("no proof of the sender is required (proof = none)");
    if (proof->is_unusable)
        return verdict(POLICY_REJECT,
                       smtp_reply_make(550, "5.7.26", "the sender is not proven: no usable %s result", test));
    if (result == AUTH_RESULT_PASS)
        return accept_because("%s pass for %s, %s", test, from_domain, proof->source);
    if (result == AUTH_RESULT_TEMPERROR)
        return verdict(
            POLICY_DEFER,
            smtp_reply_make(451, "4.7.0", "%s of %s could not be checked, please try again later", test, from_domain));
    if (result == AUTH_RESULT_NONE)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.26", "the sender is not proven: no %s result for %s",
                                                      test, from_domain));
    return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.26", "the sender is not proven: %s %s for %s", test,
                                                  auth_result_name(result), from_domain));
}

/* What nobody's mail may be. */
static struct policy_verdict judge_form(const struct policy_message_facts *facts)
{
    const struct mail_header_facts *header = facts->header;
    for (size_t i = 0; i < header->loop_mark_count; i++)
        if (smtp_domain_equal(header->loop_marks[i], facts->hostname))
            return verdict(POLICY_REJECT,
                           smtp_reply_make(554, "5.4.6", "this message has been here before (mail loop)"));
    if (header->received_count > RECEIVED_MAX)
        return verdict(POLICY_REJECT, smtp_reply_make(554, "5.4.6", "too many hops (mail loop)"));
    if (header->too_long)
        return verdict(POLICY_REJECT, smtp_reply_make(552, "5.3.4", "the header section is too long"));
    return accept_because("it has come to a return address that only we can have made");
}

struct policy_verdict policy_judge_returned(const struct policy_message_facts *facts)
{
    return judge_form(facts);
}

struct policy_verdict policy_judge_message(const struct policy_message_facts *facts)
{
    const struct mail_header_facts *header = facts->header;
    struct policy_verdict form = judge_form(facts);
    if (form.decision != POLICY_ACCEPT)
        return form;
    if (header->from_state == MAIL_HEADER_FROM_MISSING)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "the message has no From field"));
    if (header->from_state != MAIL_HEADER_FROM_OK)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "the From field does not name exactly one author"));
    return policy_judge_proof(facts->proof, facts->proof_required, facts->from_domain);
}

static struct policy_verdict not_authorised(const struct policy_mapping_facts *facts, const char *why)
{
    return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s> is not authorised to write to <%s>%s",
                                                  facts->from, facts->recipient, why));
}

/* Two programs that answer each other keep one message going round. Put off, it would be sent again, and go on at the pace
 * of this limit for ever, with a growing queue behind it at the other side; refused for good, it ends there, and somebody
 * hears of it. */
static bool is_looping(const struct policy_mapping_facts *facts)
{
    return facts->is_generated && facts->automatic_per_hour && facts->automatic_this_hour >= facts->automatic_per_hour;
}

struct policy_verdict policy_judge_mapping(const struct policy_mapping_facts *facts)
{
    const struct store_mapping *mapping = facts->mapping;
    if (facts->database_failed)
        return database_trouble();
    if (!mapping || mapping->state != STORE_MAPPING_APPROVED || !(mapping->direction & STORE_DIRECTION_IN))
        return not_authorised(facts, "");
    if (mapping->expires_at && mapping->expires_at <= facts->now)
        return not_authorised(facts, " (any more)");
    if (mapping->max_size && facts->size > mapping->max_size)
        return verdict(POLICY_REJECT, smtp_reply_make(552, "5.3.4", "the message is larger than <%s> may send to <%s>",
                                                      facts->from, facts->recipient));
    if (mapping->daily && facts->accepted_today >= mapping->daily)
        return verdict(POLICY_DEFER,
                       smtp_reply_make(452, "4.2.1", "<%s> has reached the daily limit of messages to <%s>",
                                       facts->from, facts->recipient));
    if (is_looping(facts))
        return verdict(POLICY_REJECT,
                       smtp_reply_make(554, "5.4.6", "too many automatic messages from <%s> to <%s> (mail loop)",
                                       facts->from, facts->recipient));
    char when[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(mapping->decided_at ? mapping->decided_at : mapping->created_at, when);
    return accept_because("mapping %lld, approved by %s at %s", (long long)mapping->id,
                          mapping->decided_by[0] ? mapping->decided_by : mapping->created_by, when);
}

/* What the sender is told about what is let in, short enough for the line of a reply. */
static void describe_allowed(const struct policy_attachment_facts *facts, char *out, size_t size)
{
    size_t len = strlen(facts->allowed);
    if (strcmp(facts->allowed, "no") == 0)
        snprintf(out, size, "<%s> may not send files to <%s>", facts->from, facts->recipient);
    else
        snprintf(out, size, "<%s> may send only %.*s%s to <%s>", facts->from,
                 (int)(len > ALLOWED_SHOWN_MAX ? ALLOWED_SHOWN_MAX : len), facts->allowed,
                 len > ALLOWED_SHOWN_MAX ? "..." : "", facts->recipient);
}

/* Names come from a stranger: cut at a character, and without what would end the quotes around them. */
static void quote_name(const char *name, char out[static NAME_SHOWN_MAX + 6])
{
    size_t len = strlen(name);
    bool fits = len <= NAME_SHOWN_MAX;
    if (!fits)
        for (len = NAME_SHOWN_MAX; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80;)
            len--;
    snprintf(out, NAME_SHOWN_MAX + 6, "\"%.*s%s\"", (int)len, name, fits ? "" : "...");
    for (size_t i = 1; out[i] && out[i + 1]; i++)
        if (out[i] == '"' || (unsigned char)out[i] < ' ' || out[i] == 0x7f)
            out[i] = '?';
}

static struct policy_verdict refuse_file(const struct policy_file *file, const char *allowed)
{
    char name[NAME_SHOWN_MAX + 6];
    quote_name(file->name, name);
    if (file->verdict == ATTACHMENT_OTHER_CONTENT && file->format != ATTACHMENT_OTHER)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "%s is %s: %s", name,
                                                      attachment_format_about(file->format)->name, allowed));
    if (file->verdict == ATTACHMENT_OTHER_CONTENT)
        return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "%s is not what its name says: %s", name, allowed));
    return verdict(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "%s: %s", name, allowed));
}

struct policy_verdict policy_judge_attachments(const struct policy_attachment_facts *facts)
{
    char allowed[2 * SMTP_ADDRESS_MAX + ALLOWED_SHOWN_MAX + 64];
    describe_allowed(facts, allowed, sizeof allowed);
    if (facts->look == POLICY_LOOK_FAILED)
        return verdict(POLICY_DEFER, smtp_reply_make(451, "4.3.0",
                                                     "the files of this message could not be looked at, "
                                                     "please try again later"));
    if (facts->look != POLICY_LOOK_DONE)
        return verdict(POLICY_REJECT,
                       smtp_reply_make(550, "5.7.1", "what is in this message can't be told: %s", allowed));
    if (facts->refused)
        return refuse_file(facts->refused, allowed);
    return accept_because("its files are let in");
}

bool policy_allows_outbound(const struct store_mapping *mapping, int64_t now, const char **reason_out)
{
    *reason_out = NULL;
    if (!mapping)
        *reason_out = "there is no mapping";
    else if (mapping->state != STORE_MAPPING_APPROVED)
        *reason_out = "the mapping is not approved";
    else if (!(mapping->direction & STORE_DIRECTION_OUT))
        *reason_out = "the mapping is for incoming mail only";
    else if (mapping->expires_at && mapping->expires_at <= now)
        *reason_out = "the mapping has expired";
    return !*reason_out;
}
