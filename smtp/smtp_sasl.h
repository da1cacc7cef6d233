/* smtp_sasl.h - the client's side of AUTH: SCRAM-SHA-256, PLAIN, LOGIN (RFC 7677, RFC 5802, RFC 4616)
 *
 * One exchange: challenges in, responses out, both in base64 as they stand on the wire; no I/O. The far side is not
 * trusted: what makes no sense as a challenge fails, and with SCRAM a far side that does not know the password itself
 * cannot prove so. The work of SCRAM grows with a number that the far side chooses (4,096 is usual, which takes 10 ms;
 * more than SMTP_SASL_ITERATIONS_MAX fails): it is done on the helper thread.
 *
 * The mechanisms are GNU SASL's, which prepares names and passwords that are not ASCII as it has to be (SASLprep, RFC
 * 4013).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct background;
struct loop;
struct smtp_sasl;

/* The strongest first. */
enum smtp_sasl_mechanism { SMTP_SASL_SCRAM_SHA_256, SMTP_SASL_PLAIN, SMTP_SASL_LOGIN, SMTP_SASL_MECHANISMS };

enum {
    SMTP_SASL_LINE_MAX = 12288, /* octets of a challenge or response (RFC 4954 section 4) */
    SMTP_SASL_ITERATIONS_MAX = 100 * 1000,
};

const char *smtp_sasl_name(enum smtp_sasl_mechanism mechanism); /* "SCRAM-SHA-256" */
/* Of the words in list ("PLAIN LOGIN", any case), those that we know: 1 << mechanism, or-ed. */
unsigned smtp_sasl_known(const char *list, size_t len);

/* response: what to send, "" for an empty one; NULL: the challenge makes no sense, or it is not the far side that knows
 * the password. Valid during the call, and to be kept out of any log. */
typedef void smtp_sasl_done(const char *response, void *ctx);

/* SCRAM is for what SASLprep takes: UTF-8 without control characters. The others carry any octets. */
bool smtp_sasl_suits(enum smtp_sasl_mechanism mechanism, const char *user, const char *password);

/* user and password: that suit; copied. background: NULL: work is done on the loop (tests). */
struct smtp_sasl *smtp_sasl_new(struct loop *loop, struct background *background, enum smtp_sasl_mechanism mechanism,
                                const char *user, const char *password, smtp_sasl_done *done, void *ctx);
/* May be called from done, or while it is awaited: then it is not called. */
void smtp_sasl_free(struct smtp_sasl **sasl);
/* Whether the client speaks first: then the first step is with "" for no challenge, and its response goes with AUTH. */
bool smtp_sasl_speaks_first(const struct smtp_sasl *sasl);
/* Not while one is awaited. done is called once, on the loop, never from inside this call (and not at all when the
 * background is freed before). */
void smtp_sasl_step(struct smtp_sasl *sasl, const char *challenge);
/* Whether a success of the far side is to be believed: all was said, and with SCRAM it has proven itself. */
bool smtp_sasl_is_complete(const struct smtp_sasl *sasl);
