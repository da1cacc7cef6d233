#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

/* When a command may come. */
enum phase {
    PH_START = 1 << 0,    /* before EHLO */
    PH_READY = 1 << 1,    /* between transactions */
    PH_ENVELOPE = 1 << 2, /* after MAIL */
    PH_CHUNKED = 1 << 3,  /* after a first BDAT */
    PH_GREETED = PH_READY | PH_ENVELOPE | PH_CHUNKED,
    PH_ANY = PH_START | PH_GREETED,
};

enum protocol { ON_SMTP = 1 << 0, ON_LMTP = 1 << 1, ON_BOTH = ON_SMTP | ON_LMTP };

static const struct rule {
    const char *verb;
    unsigned phases;
    unsigned protocols;
    bool is_plain; /* also in plain where TLS is required (RFC 3207 section 4) */
    bool (*run)(struct smtp_session *session, const struct smtp_command *command);
    const char *syntax; /* for HELP; NULL: not offered */
} rules[] = {
    { "EHLO", PH_ANY, ON_SMTP, true, smtp_cmd_ehlo, "EHLO hostname" },
    { "HELO", PH_ANY, ON_SMTP, false, smtp_cmd_helo, "HELO hostname" },
    { "LHLO", PH_ANY, ON_LMTP, true, smtp_cmd_ehlo, "LHLO hostname" },
    { "STARTTLS", PH_READY, ON_BOTH, true, smtp_cmd_starttls, "STARTTLS" },
    { "MAIL", PH_READY, ON_BOTH, false, smtp_cmd_mail,
      "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8] [RET=FULL|HDRS] [ENVID=id]" },
    { "RCPT", PH_ENVELOPE, ON_BOTH, false, smtp_cmd_rcpt,
      "RCPT TO:<address> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;address]" },
    { "DATA", PH_ENVELOPE, ON_BOTH, false, smtp_cmd_data, "DATA" },
    { "BDAT", PH_ENVELOPE | PH_CHUNKED, ON_BOTH, false, smtp_cmd_bdat, "BDAT octets [LAST]" },
    { "XCLIENT", PH_START | PH_READY, ON_BOTH, false, smtp_cmd_xclient, "XCLIENT attribute=value [...]" },
    { "XFORWARD", PH_READY, ON_BOTH, false, smtp_cmd_xforward, "XFORWARD attribute=value [...]" },
    { "RSET", PH_ANY, ON_BOTH, false, smtp_cmd_rset, "RSET" },
    { "NOOP", PH_ANY, ON_BOTH, true, smtp_cmd_noop, "NOOP [text]" },
    { "QUIT", PH_ANY, ON_BOTH, true, smtp_cmd_quit, "QUIT" },
    { "VRFY", PH_ANY, ON_BOTH, false, smtp_cmd_vrfy, "VRFY address [SMTPUTF8]" },
    { "HELP", PH_ANY, ON_BOTH, false, smtp_cmd_help, "HELP [command]" },
    { "EXPN", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered, NULL },
    { "AUTH", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered, NULL },
    { "ETRN", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered, NULL },
    /* A browser was made to speak to us; what follows is not worth reading. */
    { "GET", PH_ANY, ON_BOTH, true, smtp_cmd_foreign, NULL },
    { "POST", PH_ANY, ON_BOTH, true, smtp_cmd_foreign, NULL },
    { "CONNECT", PH_ANY, ON_BOTH, true, smtp_cmd_foreign, NULL },
};
enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

static enum protocol protocol_of(const struct smtp_session *session)
{
    return session->is_lmtp ? ON_LMTP : ON_SMTP;
}

static const struct rule *find_rule(const struct smtp_session *session, const char *verb, size_t verb_len)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if ((rules[i].protocols & protocol_of(session)) && strlen(rules[i].verb) == verb_len &&
            strncasecmp(rules[i].verb, verb, verb_len) == 0)
            return &rules[i];
    }
    return NULL;
}

static enum phase current_phase(const struct smtp_session *session)
{
    if (session->state == SMTP_SESSION_START)
        return PH_START;
    if (session->state == SMTP_SESSION_CHUNKED)
        return PH_CHUNKED;
    return session->state == SMTP_SESSION_READY ? PH_READY : PH_ENVELOPE;
}

static const char *what_is_missing(const struct smtp_session *session, enum phase phase)
{
    if (phase == PH_START)
        return session->is_lmtp ? "Say LHLO first" : "Say EHLO first";
    if (phase == PH_CHUNKED)
        return "Only BDAT or RSET after BDAT";
    return phase == PH_READY ? "Say MAIL first" : "Not within a transaction";
}

/* Not counted as errors: one refused MAIL draws many of these from a client that pipelines. Code 0: it may run. */
static struct smtp_reply judge_moment(const struct smtp_session *session, const struct rule *rule)
{
    enum phase phase = current_phase(session);
    if (session->listener->settings.tls_policy == SMTP_TLS_REQUIRE && !smtp_session_is_tls(session) && !rule->is_plain)
        return smtp_reply_make(530, "5.7.0", "Must issue a STARTTLS command first");
    if (!(rule->phases & phase))
        return smtp_reply_make(503, "5.5.1", "%s", what_is_missing(session, phase));
    return (struct smtp_reply){ .code = 0 };
}

bool smtp_cmd_run(struct smtp_session *session, const struct smtp_command *command)
{
    const struct rule *rule = find_rule(session, command->verb, command->verb_len);
    session->listener->statistics.commands++;
    if (!rule)
        return smtp_session_reply_bad(session, 500, "5.5.1", "Command not recognised");
    session->verb = rule->verb;
    struct smtp_reply refusal = judge_moment(session, rule);
    if (refusal.code == 0)
        return rule->run(session, command);
    if (rule->run == smtp_cmd_bdat)
        return smtp_cmd_refuse_bdat(session, command, &refusal);
    smtp_session_answer(session, &refusal);
    return true;
}

static bool is_offered(const struct smtp_session *session, const struct rule *rule)
{
    bool is_possible = (rule->run != smtp_cmd_starttls || smtp_cmd_offers_tls(session)) &&
                       (rule->run != smtp_cmd_xclient || smtp_cmd_takes_xclient(session)) &&
                       (rule->run != smtp_cmd_xforward || smtp_cmd_takes_xforward(session));
    return rule->syntax && (rule->protocols & protocol_of(session)) && is_possible;
}

static void list_commands(struct smtp_session *session)
{
    struct strbuf commands;
    strbuf_init(&commands, SMTP_REPLY_TEXT_MAX);
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (is_offered(session, &rules[i]))
            strbuf_add_fmt(&commands, "%s%s", commands.len ? " " : "", rules[i].verb);
    }
    const char *lines[] = { session->is_lmtp ? "Postern, LMTP (RFC 2033). Commands:"
                                             : "Postern, SMTP (RFC 5321). Commands:",
                            commands.data, "HELP with a command's name says how it is used" };
    smtp_session_reply_lines(session, 214, "2.0.0", lines, sizeof lines / sizeof lines[0]);
    strbuf_free(&commands);
}

bool smtp_cmd_help(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len == 0) {
        list_commands(session);
        return true;
    }
    const struct rule *rule = find_rule(session, command->args, command->args_len);
    if (!rule || !is_offered(session, rule))
        return smtp_session_reply_bad(session, 504, "5.5.4", "No such command is offered");
    smtp_session_reply(session, 214, "2.0.0", "%s", rule->syntax);
    return true;
}
