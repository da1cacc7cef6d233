/* signer.h - the keys with which our mail is signed (DKIM): those of the configuration's sections `dkim`
 *
 * All functions but new, free, reconfigure and warn may be called by any thread at any time. What is being signed while
 * the keys are replaced keeps those that it began with.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct signer;
struct strbuf;

enum { SIGNER_KEYS_MAX = 8, SIGNER_FIELDS_MAX = 64 * 1024 /* octets of all signatures of a mail */ };

/* NULL when a key can't be read any more, with the reason in *error_out (caller frees). */
struct signer *signer_new(const struct config *config, char **error_out) __attribute__((warn_unused_result));
void signer_free(struct signer **signer);
/* The keys of another configuration for whatever is signed from now on. -1, and all stays as it was. */
int signer_reconfigure(struct signer *signer, const struct config *config, char **error_out)
    __attribute__((warn_unused_result));
/* What an operator should hear about at every start and reload. */
void signer_warn(const struct signer *signer);

bool signer_has_keys(struct signer *signer);
/* Appends the fields that go in front of a mail; nothing without keys. at: wall clock, ms. -1: the mail can't be read or
 * signed. */
int signer_sign_file(struct signer *signer, int fd, int64_t size, int64_t at, struct strbuf *out)
    __attribute__((warn_unused_result));
int signer_sign_text(struct signer *signer, const char *text, size_t len, int64_t at, struct strbuf *out)
    __attribute__((warn_unused_result));
