/* postfix_policy.c - see postfix_policy.h */
#include "gateway/postfix_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/envelope.h"
#include "gateway/parts.h"
#include "gateway/postfix_request.h"
#include "gateway/recipient.h"
#include "mapping/store_mapping.h"

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

/* What a pair is judged by. */
struct pair {
    struct store_db *db;
    struct store_target target;
    const struct smtp_address *forms; /* whom the sender may be */
    size_t form_count;
    struct policy_mapping_facts facts;
};

/* 1 a mapping was found and *verdict_out is what it says, 0 none, -1 database error */
static int judge_form(const struct pair *pair, const struct smtp_address *form, struct policy_verdict *verdict_out)
{
    char address[SMTP_ADDRESS_MAX + 2];
    struct store_correspondent correspondent;
    struct store_mapping mapping;
    smtp_address_format(form, address);
    int found = store_correspondent_find_by_address(pair->db, address, &correspondent);
    if (found != 1)
        return found;
    found = store_mapping_find_pair(pair->db, correspondent.id, pair->target, &mapping);
    store_correspondent_free(&correspondent);
    if (found != 1)
        return found;
    struct policy_mapping_facts facts = pair->facts;
    mapping.daily = 0; /* counted by the commit that takes the message, and not for a repetition */
    facts.mapping = &mapping;
    *verdict_out = policy_judge_mapping(&facts);
    store_mapping_free(&mapping);
    return 1;
}

static struct policy_verdict judge_by_address(const struct pair *pair)
{
    struct policy_verdict verdict, refusal = policy_judge_mapping(&pair->facts);
    for (size_t i = 0; i < pair->form_count; i++) {
        int found = judge_form(pair, &pair->forms[i], &verdict);
        struct policy_mapping_facts failed = { .database_failed = true };
        if (found < 0)
            return policy_judge_mapping(&failed);
        if (found == 1 && verdict.decision == POLICY_ACCEPT)
            return verdict;
        if (found == 1)
            refusal = verdict; /* it says more than that there is no mapping */
    }
    return refusal;
}

struct author_search {
    const struct pair *pair;
    bool found;
};

static void compare_author(const char *address, void *ctx)
{
    struct author_search *search = ctx;
    const char *domain = strrchr(address, '@');
    for (size_t i = 0; domain && i < search->pair->form_count; i++)
        search->found = search->found || envelope_domains_are_related(domain + 1, search->pair->forms[i].domain);
}

static struct policy_verdict judge_by_domain(const struct pair *pair)
{
    struct author_search search = { .pair = pair };
    struct policy_mapping_facts facts = pair->facts;
    facts.database_failed = store_mapping_list_authors(pair->db, pair->target, facts.now, compare_author, &search) < 0;
    return search.found && !facts.database_failed ? pass() : policy_judge_mapping(&facts);
}

static struct policy_verdict judge_pair(const struct parts *parts, const struct postfix_request *request,
                                        const struct smtp_address *sender, struct store_target target,
                                        const char *recipient)
{
    struct smtp_address forms[ENVELOPE_FORMS_MAX];
    struct pair pair = {
        .db = store_reader(parts->store),
        .target = target,
        .forms = forms,
        .form_count = envelope_forms(sender, forms),
        .facts = { .from = request->sender,
                   .recipient = recipient,
                   .size = strtoll(request->size, NULL, 10), /* 0: not declared */
                   .now = clock_wall_ms(parts->clock) },
    };
    return parts->config->postfix.policy_match == CONFIG_MATCH_ADDRESS ? judge_by_address(&pair)
                                                                       : judge_by_domain(&pair);
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
    log_info("postfix.refused", "sender=%s recipient=%s code=%d reply=%s", request->sender, request->recipient,
             verdict.reply.code, verdict.reply.text);
    return verdict.decision == POLICY_REJECT ? POSTFIX_POLICY_REFUSED : POSTFIX_POLICY_DEFERRED;
}
