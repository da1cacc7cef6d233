/* smtp_relay.h - what a relay in a script has and knows: a certificate, a password (with SCRAM-SHA-256),
 * and what a script calls the ways of reaching it */
#pragma once
#include "smtp/smtp_client.h"

/* "none", "may", "require", "verify" */
enum smtp_client_tls relay_tls_by_name(const char *name);

/* Makes a folder with cert.pem, for "localhost", and key.pem. */
void relay_make_folder(char folder[static 64]);
void relay_remove_folder(const char *folder); /* with "relay", its socket */
/* "sha256:..." of a certificate. */
void relay_read_pin(const char *certificate_file, char pin_out[static 100]);

struct relay_scram;

/* iterations: as the relay tells it, "4096". */
struct relay_scram *relay_scram_new(const char *password, const char *iterations);
void relay_scram_free(struct relay_scram **scram);
/* Takes what the client said, in base64, and answers in base64, for the caller to free. NULL: it does not know the
 * password. */
char *relay_scram_step(struct relay_scram *scram, const char *said);
