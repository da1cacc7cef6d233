/* policy.c - the verdicts; see the table "What a mail sender is told" in docs/SENDERS.md */
#include "gateway/policy_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    RECEIVED_MAX = 100, /* RFC 5321 section 6.3 */
    NAME_SHOWN_MAX = 60,
    ALLOWED_SHOWN_MAX = 100,
};

struct policy_verdict policy_verdict_make(enum policy_decision decision, struct smtp_reply reply)
{
    struct policy_verdict v = { .decision = decision, .reply = reply };
    snprintf(v.reason, sizeof v.reason, "%.*s", (int)sizeof v.reason - 1, reply.text);
    return v;
}

struct policy_verdict policy_accept_because(const char *fmt, ...)
{
    struct policy_verdict v = { .decision = POLICY_ACCEPT, .reply = smtp_reply_make(250, "2.1.5", "ok") };
    va_list args;
    va_start(args, fmt);
    vsnprintf(v.reason, sizeof v.reason, fmt, args);
    va_end(args);
    return v;
}

struct policy_verdict policy_database_trouble(void)
{
    return policy_verdict_make(POLICY_DEFER, smtp_reply_make(451, "4.3.0", "local error, please try again later"));
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
        return policy_verdict_make(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s>: %s", facts->recipient, problem));
    return policy_accept_because("it is a return address of ours");
}

/* Whoever asks is told no more than of a recipient who is closed to them alone. */
static struct policy_verdict judge_closed(const struct policy_recipient_facts *facts)
{
    struct smtp_reply reply =
        facts->sender
            ? smtp_reply_make(550, "5.7.1", "<%s> is not authorised to write to <%s>", facts->sender, facts->recipient)
            : smtp_reply_make(550, "5.7.1", "nobody may write to <%s>", facts->recipient);
    struct policy_verdict verdict = policy_verdict_make(POLICY_REJECT, reply);
    snprintf(verdict.reason, sizeof verdict.reason,
             "no mapping lets anybody write to <%s>: there is none that is approved", facts->recipient);
    return verdict;
}

struct policy_verdict policy_judge_recipient(const struct policy_recipient_facts *facts)
{
    if (facts->database_failed)
        return policy_database_trouble();
    if (!smtp_domain_equal(facts->domain, facts->our_domain))
        return policy_verdict_make(POLICY_REJECT,
                                   smtp_reply_make(550, "5.7.1", "<%s>: relaying denied", facts->recipient));
    if (facts->return_state != POLICY_RETURN_NONE)
        return judge_return(facts);
    if (!facts->recipient_exists)
        return policy_verdict_make(POLICY_REJECT,
                                   smtp_reply_make(550, "5.1.1", "<%s>: no such recipient", facts->recipient));
    if (facts->sender && !facts->sender[0])
        return policy_verdict_make(
            POLICY_REJECT,
            smtp_reply_make(550, "5.7.1", "<%s>: bounces are accepted for our own mail only", facts->recipient));
    bool is_open = facts->any_inbound_mapping || (facts->holds_unknown && !facts->is_group);
    if (!is_open)
        return judge_closed(facts);
    if (!facts->is_reachable)
        return policy_verdict_make(POLICY_DEFER,
                                   smtp_reply_make(450, "4.2.1", "<%s> %s, please try again later", facts->recipient,
                                                   facts->is_group ? "is a group that is not ready yet"
                                                                   : "has not yet agreed to receive mail"));
    return policy_accept_because("%s is a %s", facts->recipient, facts->is_group ? "group" : "member");
}

struct policy_verdict policy_judge_proof(const struct proof *proof, enum config_proof required, const char *from_domain)
{
    bool is_dkim = required == CONFIG_PROOF_DKIM;
    const char *test = is_dkim ? "DKIM" : "DMARC";
    enum auth_result result = is_dkim ? proof->dkim : proof->dmarc;
    if (proof->is_assumed)
        return policy_accept_because("the listener is for a trusted network (assume_authenticated)");
    if (required == CONFIG_PROOF_NONE)
        return policy_accept_because("no proof of the sender is required (proof = none)");
    if (proof->is_peer)
        return policy_accept_because("a client certificate vouches for %s", from_domain);
    if (proof->is_unusable)
        return policy_verdict_make(
            POLICY_REJECT, smtp_reply_make(550, "5.7.26", "the sender is not proven: no usable %s result", test));
    if (result == AUTH_RESULT_PASS)
        return policy_accept_because("%s pass for %s, %s", test, from_domain, proof->source);
    if (result == AUTH_RESULT_TEMPERROR || proof->is_temporary)
        return policy_verdict_make(
            POLICY_DEFER,
            smtp_reply_make(451, "4.7.0", "%s of %s could not be checked, please try again later", test, from_domain));
    if (result == AUTH_RESULT_NONE)
        return policy_verdict_make(
            POLICY_REJECT,
            smtp_reply_make(550, "5.7.26", "the sender is not proven: no %s result for %s", test, from_domain));
    const char *outcome = proof->outcome;
    return policy_verdict_make(POLICY_REJECT,
                               smtp_reply_make(550, "5.7.26", "the sender is not proven: %s %s for %s%s%s%s", test,
                                               auth_result_name(result), from_domain, outcome[0] ? " (" : "", outcome,
                                               outcome[0] ? ")" : ""));
}

/* What nobody's mail may be. */
static struct policy_verdict judge_loops(const struct policy_form_facts *facts)
{
    const struct mail_header_facts *header = facts->header;
    for (size_t i = 0; i < header->loop_mark_count; i++)
        if (smtp_domain_equal(header->loop_marks[i], facts->hostname))
            return policy_verdict_make(POLICY_REJECT,
                                       smtp_reply_make(554, "5.4.6", "this message has been here before (mail loop)"));
    if (header->received_count > RECEIVED_MAX)
        return policy_verdict_make(POLICY_REJECT, smtp_reply_make(554, "5.4.6", "too many hops (mail loop)"));
    if (header->too_long)
        return policy_verdict_make(POLICY_REJECT, smtp_reply_make(552, "5.3.4", "the header section is too long"));
    return policy_accept_because("it has come to a return address that only we can have made");
}

struct policy_verdict policy_judge_returned(const struct policy_form_facts *facts)
{
    return judge_loops(facts);
}

struct policy_verdict policy_judge_form(const struct policy_form_facts *facts)
{
    const struct mail_header_facts *header = facts->header;
    struct policy_verdict verdict = judge_loops(facts);
    if (verdict.decision != POLICY_ACCEPT)
        return verdict;
    if (header->from_state == MAIL_HEADER_FROM_MISSING)
        return policy_verdict_make(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "the message has no From field"));
    if (header->from_state != MAIL_HEADER_FROM_OK)
        return policy_verdict_make(POLICY_REJECT,
                                   smtp_reply_make(550, "5.7.1", "the From field does not name exactly one author"));
    return policy_accept_because("it names one author");
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
        return policy_verdict_make(
            POLICY_REJECT,
            smtp_reply_make(550, "5.7.1", "%s is %s: %s", name, attachment_format_about(file->format)->name, allowed));
    if (file->verdict == ATTACHMENT_OTHER_CONTENT)
        return policy_verdict_make(POLICY_REJECT,
                                   smtp_reply_make(550, "5.7.1", "%s is not what its name says: %s", name, allowed));
    return policy_verdict_make(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "%s: %s", name, allowed));
}

struct policy_verdict policy_judge_attachments(const struct policy_attachment_facts *facts)
{
    char allowed[2 * SMTP_ADDRESS_MAX + ALLOWED_SHOWN_MAX + 64];
    describe_allowed(facts, allowed, sizeof allowed);
    if (facts->look == POLICY_LOOK_FAILED)
        return policy_verdict_make(POLICY_DEFER, smtp_reply_make(451, "4.3.0",
                                                                 "the files of this message could not be looked at, "
                                                                 "please try again later"));
    if (facts->look != POLICY_LOOK_DONE)
        return policy_verdict_make(POLICY_REJECT,
                                   smtp_reply_make(550, "5.7.1", "what is in this message can't be told: %s", allowed));
    if (facts->refused)
        return refuse_file(facts->refused, allowed);
    return policy_accept_because("its files are let in");
}
