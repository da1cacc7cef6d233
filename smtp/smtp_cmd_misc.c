#include "smtp/smtp_cmd.h"
#include "smtp/smtp_session.h"

bool smtp_cmd_noop(struct smtp_session *session, const struct smtp_command *command)
{
    (void)command;
    smtp_session_reply(session, 250, "2.0.0", "Ok");
    return true;
}

bool smtp_cmd_quit(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len > 0)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: QUIT");
    smtp_session_reply(session, 221, "2.0.0", "Bye");
    return false;
}

/* Who is a member here is nobody's business (RFC 5321 section 7.3). As the answer names nobody, it is the same with and
 * without SMTPUTF8 behind the address (RFC 6531 section 3.7.4.2). */
bool smtp_cmd_vrfy(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len == 0)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: VRFY address");
    smtp_session_reply(session, 252, "2.0.0", "Not told; send mail to find out");
    return true;
}

bool smtp_cmd_not_offered(struct smtp_session *session, const struct smtp_command *command)
{
    (void)command;
    return smtp_session_reply_bad(session, 502, "5.5.1", "Command not implemented");
}

bool smtp_cmd_foreign(struct smtp_session *session, const struct smtp_command *command)
{
    (void)command;
    smtp_session_reply(session, 421, "4.7.0", "This is not a web server");
    return false;
}
