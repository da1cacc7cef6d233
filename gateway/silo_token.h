/* silo_token.h - the file with the token for a silo that asks for OpenID Connect
 *
 * silo.oidc_token_file: what the provider's token endpoint answered, or the id token alone, 32 KiB at most. It is read
 * when the gateway is about to register, once in an account's life, and when a configuration is tested. It is a
 * secret: others may not be able to read it, and nothing of it ever gets into a message.
 */
#pragma once

/* 1: *oidc_out is the object for the registration; 0: there is no such file, or it is empty; -1: it is of no use. In the latter two
 * *error_out says what is wrong and what to do. The caller frees either. */
int silo_token_read(const char *file, char **oidc_out, char **error_out) __attribute__((warn_unused_result));
