/* postfix_policy.c - see postfix_policy.h */
#include "gateway/postfix_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/envelope.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/postfix_request.h"
#include "gateway/recipient.h"
#include "gateway/refusals.h"
#include "mapping/store_mapping.h"
#include "mapping/subject.h"

static struct policy_verdict pass(void)
{
    return (struct policy_verdict){ .decision = POLICY_ACCEPT, .reply = smtp_reply_make(250, "2.1.5", "ok") };
}

/* Postfix sends local parts without their quotes: what is not an address as it is may be one with them. */
static int parse_unquoted(const char *text, struct smtp_address *out)
{
    const char *at = strrchr(text, '@');
    struct strbuf quoted;
    if (smtp_address_parse(text, strlen(text), out) == 1)
        return 1;
    if (!at)
        return -1;
    strbuf_init(&quoted, 2 * SMTP_ADDRESS_MAX);
    strbuf_add_char(&quoted, '"');
    for (const char *p = text; p < at; p++) {
        if (*p == '"' || *p == '\\')
            strbuf_add_char(&quoted, '\\');
        strbuf_add_char(&quoted, *p);
    }
    strbuf_add_fmt(&quoted, "\"%s", at);
    int result = strbuf_ok(&quoted) ? smtp_address_parse(quoted.data, quoted.len, out) : -1;
    strbuf_free(&quoted);
    return result;
}

/* Somebody who may be one of several, and whom they write to. */
struct inquiry {
    struct store_db *db;
    const char *sender, *recipient; /* for the words */
    struct store_target target;
    const struct smtp_address *forms; /* whom the sender may be */
    size_t form_count;
    int64_t size; /* 0: not declared */
    int64_t now;
    enum smtp_case local_case;
    bool holds_unknown;
};

static struct policy_verdict judge_form(const struct inquiry *inquiry, const char *address)
{
    struct pair pair;
    pair_find(inquiry->db, address, inquiry->target, &pair);
    pair.facts.outside = inquiry->sender;
    pair.facts.inside = inquiry->recipient;
    pair.facts.now = inquiry->now;
    pair.facts.local_case = inquiry->local_case;
    struct policy_verdict verdict = policy_judge_pair(&pair.facts, inquiry->size, inquiry->holds_unknown);
    pair_free(&pair);
    return verdict;
}

/* One of whom they may be suffices. Of several refusals the one that a mapping explains says more. */
static struct policy_verdict judge_by_address(const struct inquiry *inquiry)
{
    struct policy_verdict verdict, refusal = judge_form(inquiry, "");
    for (size_t i = 0; i < inquiry->form_count; i++) {
        struct smtp_address form = inquiry->forms[i];
        char address[SMTP_ADDRESS_MAX + 2];
        if (smtp_address_canonicalise(&form, inquiry->local_case) != 1)
            continue;
        smtp_address_format(&form, address);
        verdict = judge_form(inquiry, address);
        if (verdict.decision == POLICY_ACCEPT || verdict.decision == POLICY_DEFER)
            return verdict;
        if (verdict.mapping_id)
            refusal = verdict;
    }
    return refusal;
}

/* Strangers can have this asked as often as they like, and the loop waits for it: where more may write they are judged when
 * their message is there. */
enum { AUTHORS_MAX = 1000 };

struct author_search {
    const struct inquiry *inquiry;
    unsigned count;
    bool found;
};

static void compare_author(const char *subject, void *ctx)
{
    struct author_search *search = ctx;
    const char *domain = strrchr(subject, '@');
    search->count++;
    if (!domain++)
        return;
    if (subject_kind_of(subject) == SUBJECT_SUBDOMAINS)
        domain += strlen("*.");
    for (size_t i = 0; i < search->inquiry->form_count; i++)
        search->found = search->found || envelope_domains_are_related(domain, search->inquiry->forms[i].domain);
}

static struct policy_verdict judge_by_domain(const struct inquiry *inquiry)
{
    struct author_search search = { .inquiry = inquiry };
    if (inquiry->holds_unknown)
        return pass();
    if (store_mapping_list_authors(inquiry->db, inquiry->target, inquiry->now, AUTHORS_MAX + 1, compare_author,
                                   &search) < 0) {
        const struct policy_pair failed = { .database_failed = true };
        return policy_judge_pair(&failed, 0, false);
    }
    return search.found || search.count > AUTHORS_MAX ? pass() : judge_form(inquiry, "");
}

static struct policy_verdict judge_pair(const struct parts *parts, const struct postfix_request *request,
                                        const struct smtp_address *sender, struct store_target target,
                                        const char *recipient)
{
    struct smtp_address forms[ENVELOPE_FORMS_MAX];
    const struct config *config = parts->config;
    const struct inquiry inquiry = {
        .db = store_reader(parts->store),
        .sender = request->sender,
        .recipient = recipient,
        .target = target,
        .forms = forms,
        .form_count = envelope_forms(sender, forms),
        .size = strtoll(request->size, NULL, 10),
        .now = clock_wall_ms(parts->clock),
        .local_case = config->policy.local_parts,
        .holds_unknown = pair_holds_unknown(config, target),
    };
    return config->postfix.policy_match == CONFIG_MATCH_ADDRESS ? judge_by_address(&inquiry)
                                                                : judge_by_domain(&inquiry);
}

static struct policy_verdict judge(const struct parts *parts, const struct postfix_request *request)
{
    struct smtp_address sender = { .local = "" }, recipient;
    struct recipient found;
    char text[SMTP_ADDRESS_MAX + 2];
    bool is_asked = strcmp(request->kind, "smtpd_access_policy") == 0 && strcmp(request->protocol_state, "RCPT") == 0;
    if (!is_asked || parse_unquoted(request->recipient, &recipient) != 1 ||
        !smtp_domain_equal(recipient.domain, parts->config->domain))
        return pass();
    smtp_address_format(&recipient, text);
    struct policy_verdict verdict = recipient_judge(parts, request->sender, &recipient, &found);
    bool is_known = found.target.member_id || found.target.group_id; /* else a return address: for anybody */
    if (verdict.decision != POLICY_ACCEPT || !request->sender[0] || !is_known ||
        parts->config->postfix.policy_match == CONFIG_MATCH_NONE)
        return verdict;
    if (parse_unquoted(request->sender, &sender) != 1)
        sender = (struct smtp_address){ .local = "" }; /* has no forms: nobody is authorised by it */
    return judge_pair(parts, request, &sender, found.target, text);
}

/* One line of text: the sender is as some client wrote it. */
static void add_clean(struct strbuf *out, const char *text)
{
    for (; *text; text++)
        strbuf_add_char(out, (unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text);
}

static void note(const struct parts *parts, const struct postfix_request *request, const struct policy_verdict *verdict)
{
    char reply[SMTP_REPLY_TEXT_MAX + 32];
    snprintf(reply, sizeof reply, "%d %s %s", verdict->reply.code, verdict->reply.enhanced, verdict->reply.text);
    const struct store_refusal facts = {
        .place = "postfix",
        .sender = request->sender[0] ? request->sender : "<>",
        .recipient = request->recipient,
        .size = strtoll(request->size, NULL, 10),
        .code = verdict->reply.code,
        .reply = reply,
        .reason = verdict->reason,
    };
    refusals_note_asked(parts->refusals, request->client, &facts);
}

enum postfix_policy_result postfix_policy_answer(const struct parts *parts, const struct postfix_request *request,
                                                 struct strbuf *out)
{
    struct policy_verdict verdict = judge(parts, request);
    if (verdict.decision == POLICY_ACCEPT) {
        strbuf_add_str(out, "action=DUNNO\n\n");
        log_debug("postfix.passed", "sender=%s recipient=%s state=%s", request->sender, request->recipient,
                  request->protocol_state);
        return POSTFIX_POLICY_PASSED;
    }
    strbuf_add_fmt(out, "action=%d %s ", verdict.reply.code, verdict.reply.enhanced);
    add_clean(out, verdict.reply.text);
    strbuf_add_str(out, "\n\n");
    note(parts, request, &verdict);
    log_info("postfix.refused", "sender=%s recipient=%s code=%d reply=%s", request->sender, request->recipient,
             verdict.reply.code, verdict.reply.text);
    return verdict.decision == POLICY_REJECT ? POSTFIX_POLICY_REFUSED : POSTFIX_POLICY_DEFERRED;
}
