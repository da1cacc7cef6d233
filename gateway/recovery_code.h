/* recovery_code.h - codes that let somebody in once who has lost what makes their one-time codes
 *
 * 80 random bits: too many to be tried, so their SHA-256 may lie in the database as it is.
 */
#pragma once
#include "base/digest.h"

enum { RECOVERY_CODES = 10, RECOVERY_CODE_SIZE = 20 }; /* "abcd-efgh-ijkl-mnop" and a NUL */

void recovery_code_make(char code_out[static RECOVERY_CODE_SIZE]);
/* As people type it: with or without dashes and spaces, in capitals or not. */
void recovery_code_digest(const char *code, uint8_t digest_out[static DIGEST_SIZE]);
