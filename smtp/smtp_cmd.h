/* smtp_cmd.h - the commands: one table, one function for each verb
 *
 * Private to smtp/. Handlers reply through the session and change its state; the table has checked before that the
 * command may come now. false: the last reply is written, close.
 */
#pragma once
#include <stdbool.h>

struct smtp_command;
struct smtp_session;

/* Runs a command in START, READY or ENVELOPE. */
bool smtp_cmd_run(struct smtp_session *session, const struct smtp_command *command) __attribute__((warn_unused_result));

/* smtp_cmd_hello.c */
bool smtp_cmd_ehlo(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_helo(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_starttls(struct smtp_session *session, const struct smtp_command *command);

/* smtp_cmd_mail.c */
bool smtp_cmd_mail(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_rcpt(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_data(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_rset(struct smtp_session *session, const struct smtp_command *command);

/* smtp_cmd_misc.c */
bool smtp_cmd_noop(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_quit(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_vrfy(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_help(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_not_offered(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_foreign(struct smtp_session *session, const struct smtp_command *command);
