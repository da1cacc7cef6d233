/* totp.h - one-time codes of an authenticator (RFC 6238: SHA-1, 30 seconds, six digits, as all of them know), through liboath
 *
 * Pure: the time is the caller's, and so is it to remember which step of time was used.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { TOTP_SECRET_SIZE = 20, TOTP_DIGITS = 6, TOTP_STEP_S = 30 };

/* 1: it is the code of the step of time *step_out, which is the one of now, the one before or the one after (clocks differ); 0: it
 * is none of these, or no six digits. */
int totp_check(const uint8_t secret[static TOTP_SECRET_SIZE], const char *code, int64_t wall_ms, int64_t *step_out)
    __attribute__((warn_unused_result));
