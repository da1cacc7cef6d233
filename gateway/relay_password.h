/* relay_password.h - the file with the password for a relay that asks for AUTH
 *
 * relay.password_file: one line of text, 1 to 1,000 octets, without control characters. It is read for each new
 * connection and when a configuration is tested. It is a secret: others may not be able to read it, and nothing of it
 * ever gets into a message.
 */
#pragma once

/* -1: it is of no use, and *error_out says why. The caller frees either. */
int relay_password_read(const char *file, char **password_out, char **error_out) __attribute__((warn_unused_result));
