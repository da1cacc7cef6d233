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
} rules[] = {
    { "EHLO", PH_ANY, ON_SMTP, true, smtp_cmd_ehlo },
    { "HELO", PH_ANY, ON_SMTP, false, smtp_cmd_helo },
    { "LHLO", PH_ANY, ON_LMTP, true, smtp_cmd_ehlo },
    { "STARTTLS", PH_READY, ON_BOTH, true, smtp_cmd_starttls },
    { "MAIL", PH_READY, ON_BOTH, false, smtp_cmd_mail },
    { "RCPT", PH_ENVELOPE, ON_BOTH, false, smtp_cmd_rcpt },
    { "DATA", PH_ENVELOPE, ON_BOTH, false, smtp_cmd_data },
    { "BDAT", PH_ENVELOPE | PH_CHUNKED, ON_BOTH, false, smtp_cmd_bdat },
    { "RSET", PH_ANY, ON_BOTH, false, smtp_cmd_rset },
    { "NOOP", PH_ANY, ON_BOTH, true, smtp_cmd_noop },
    { "QUIT", PH_ANY, ON_BOTH, true, smtp_cmd_quit },
    { "VRFY", PH_ANY, ON_BOTH, false, smtp_cmd_vrfy },
    { "HELP", PH_ANY, ON_BOTH, false, smtp_cmd_help },
    { "EXPN", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered },
    { "AUTH", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered },
    { "ETRN", PH_ANY, ON_BOTH, false, smtp_cmd_not_offered },
    /* A browser was made to speak to us; what follows is not worth reading. */
    { "GET", PH_ANY, ON_BOTH, true, smtp_cmd_foreign },
    { "POST", PH_ANY, ON_BOTH, true, smtp_cmd_foreign },
    { "CONNECT", PH_ANY, ON_BOTH, true, smtp_cmd_foreign },
};

static const struct rule *find_rule(const struct smtp_command *command, enum protocol protocol)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if ((rules[i].protocols & protocol) && strlen(rules[i].verb) == command->verb_len &&
            strncasecmp(rules[i].verb, command->verb, command->verb_len) == 0)
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
    const struct rule *rule = find_rule(command, session->is_lmtp ? ON_LMTP : ON_SMTP);
    if (!rule)
        return smtp_session_reply_bad(session, 500, "5.5.1", "Command not recognised");
    struct smtp_reply refusal = judge_moment(session, rule);
    if (refusal.code == 0)
        return rule->run(session, command);
    if (rule->run == smtp_cmd_bdat)
        return smtp_cmd_refuse_bdat(session, command, &refusal);
    smtp_session_write(session, &refusal);
    return true;
}
