#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_parser.h"
#include "smtp/smtp_session.h"

enum { CLIENT_SIZE = SMTP_ORIGIN_ADDRESS_SIZE + 12 };

/* What is no address: XCLIENT has not spoken of it. */
static const char unsaid[] = "?";

/* By the address that has connected (a proxy's client, for a proxy speaks for others), not by the one that XCLIENT has given
 * to the session: nobody becomes somebody by being named. */
static bool believes(const struct smtp_session *session, const struct smtp_access *peers)
{
    const char *address = session->teller ? session->teller : session->client_address;
    return peers && smtp_access_allows(peers, address);
}

bool smtp_cmd_takes_xclient(const struct smtp_session *session)
{
    return believes(session, session->listener->xclients);
}

bool smtp_cmd_takes_xforward(const struct smtp_session *session)
{
    return believes(session, session->listener->xforwards);
}

static bool refuse_stranger(struct smtp_session *session, const char *verb)
{
    char text[64];
    log_info("smtp.origin_refused", "session=%s peer=%s client=%s command=%s", session->id, session->peer,
             session->client, verb);
    snprintf(text, sizeof text, "%s is not taken from you", verb);
    return smtp_session_reply_bad(session, 550, "5.7.0", text);
}

static bool refuse_syntax(struct smtp_session *session, const char *verb, const char *fault)
{
    char text[128];
    snprintf(text, sizeof text, "Bad %s command: %s", verb, fault);
    return smtp_session_reply_bad(session, 501, "5.5.4", text);
}

/* In the form of session->peer. What is not known any more is nobody's address. */
static void write_client(const struct smtp_session *session, const struct smtp_origin *told,
                         char out[static CLIENT_SIZE])
{
    bool is_said = strcmp(told->address, unsaid) != 0;
    const char *address = is_said ? told->address : session->client_address;
    bool is_ipv6 = strchr(address, ':') != NULL;
    if (address[0] == '\0')
        address = "unknown";
    snprintf(out, CLIENT_SIZE, "%s%.*s%s", is_ipv6 ? "[" : "", SMTP_ORIGIN_ADDRESS_SIZE - 1, address,
             is_ipv6 ? "]" : "");
    if (told->port[0] != '\0') {
        size_t len = strlen(out);
        snprintf(out + len, CLIENT_SIZE - len, ":%s", told->port);
    }
}

bool smtp_cmd_xclient(struct smtp_session *session, const struct smtp_command *command)
{
    const char *fault;
    char client[CLIENT_SIZE];
    struct smtp_origin told = { .name = "" };
    if (!smtp_cmd_takes_xclient(session))
        return refuse_stranger(session, "XCLIENT");
    if (session->xclient)
        told = *session->xclient;
    snprintf(told.address, sizeof told.address, "%s", unsaid);
    told.port[0] = '\0';
    if (smtp_origin_parse(command->args, command->args_len, SMTP_ORIGIN_XCLIENT, &told, &fault) != 1)
        return refuse_syntax(session, "XCLIENT", fault);
    if (strcmp(told.address, unsaid) == 0 && told.port[0] == '\0')
        snprintf(client, sizeof client, "%s", session->client);
    else
        write_client(session, &told, client);
    struct smtp_reply refusal = smtp_listener_readmit(session->listener, session, client);
    if (refusal.code != 0) {
        smtp_session_answer(session, &refusal);
        return false;
    }
    if (!session->teller)
        session->teller = xstrdup(session->client_address);
    smtp_session_set_client(session, client);
    if (!session->xclient)
        session->xclient = xmalloc(sizeof *session->xclient);
    *session->xclient = told;
    log_debug("smtp.xclient", "session=%s peer=%s client=%s name=%s helo=%s login=%s", session->id, session->peer,
              session->client, told.name, told.helo, told.login);
    smtp_session_restart(session);
    return true;
}

bool smtp_cmd_xforward(struct smtp_session *session, const struct smtp_command *command)
{
    const char *fault;
    struct smtp_origin told = { .name = "" };
    if (!smtp_cmd_takes_xforward(session))
        return refuse_stranger(session, "XFORWARD");
    if (session->xforward)
        told = *session->xforward;
    if (smtp_origin_parse(command->args, command->args_len, SMTP_ORIGIN_XFORWARD, &told, &fault) != 1)
        return refuse_syntax(session, "XFORWARD", fault);
    if (!session->xforward)
        session->xforward = xmalloc(sizeof *session->xforward);
    *session->xforward = told;
    session->facts.origin = session->xforward;
    log_debug("smtp.xforward", "session=%s peer=%s client=%s name=%s address=%s port=%s helo=%s protocol=%s ident=%s",
              session->id, session->peer, session->client, told.name, told.address, told.port, told.helo, told.protocol,
              told.ident);
    smtp_session_reply(session, 250, "2.0.0", "Ok");
    return true;
}
