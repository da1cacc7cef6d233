/* smtp_cmd.h - the commands: one table, one function for each verb
 *
 * Private to smtp/. Handlers reply through the session and change its state; the table has checked before that the
 * command may come now. false: the last reply is written, close.
 */
#pragma once
#include <stdbool.h>

struct smtp_command;
struct smtp_reply;
struct smtp_session;

/* Runs a command in START, READY, ENVELOPE or CHUNKED. */
bool smtp_cmd_run(struct smtp_session *session, const struct smtp_command *command) __attribute__((warn_unused_result));
/* smtp_cmd_table.c, for it knows what there is */
bool smtp_cmd_help(struct smtp_session *session, const struct smtp_command *command);

/* smtp_cmd_hello.c */
bool smtp_cmd_ehlo(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_helo(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_offers_tls(const struct smtp_session *session); /* now, not in principle */
bool smtp_cmd_starttls(struct smtp_session *session, const struct smtp_command *command);

/* smtp_cmd_mail.c */
bool smtp_cmd_mail(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_rcpt(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_data(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_rset(struct smtp_session *session, const struct smtp_command *command);
/* To whoever sends content before anybody may get it. */
struct smtp_reply smtp_cmd_no_recipients(const struct smtp_session *session);

/* smtp_cmd_bdat.c */
bool smtp_cmd_bdat(struct smtp_session *session, const struct smtp_command *command);
/* A BDAT that may not come now: gets this reply once its octets have been thrown away. */
bool smtp_cmd_refuse_bdat(struct smtp_session *session, const struct smtp_command *command,
                          const struct smtp_reply *reply);
/* All octets of the chunk were read. */
bool smtp_cmd_finish_bdat(struct smtp_session *session);

/* smtp_cmd_origin.c: from listed peers only (smtp_server.h) */
bool smtp_cmd_takes_xclient(const struct smtp_session *session);
bool smtp_cmd_xclient(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_takes_xforward(const struct smtp_session *session);
bool smtp_cmd_xforward(struct smtp_session *session, const struct smtp_command *command);

/* smtp_cmd_misc.c */
bool smtp_cmd_noop(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_quit(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_vrfy(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_not_offered(struct smtp_session *session, const struct smtp_command *command);
bool smtp_cmd_foreign(struct smtp_session *session, const struct smtp_command *command);
