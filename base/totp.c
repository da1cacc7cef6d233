/* totp.c - see totp.h */
#include "base/totp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <liboath/oath.h>

enum { WINDOW = 1 };

int totp_check(const uint8_t secret[static TOTP_SECRET_SIZE], const char *code, int64_t wall_ms, int64_t *step_out)
{
    uint64_t counter = 0;
    if (strlen(code) != TOTP_DIGITS || strspn(code, "0123456789") != TOTP_DIGITS)
        return 0;
    if (oath_init() != OATH_OK)
        abort(); /* its hashes don't work */
    if (oath_totp_validate3((const char *)secret, TOTP_SECRET_SIZE, (time_t)(wall_ms / 1000), TOTP_STEP_S, 0, WINDOW,
                            NULL, &counter, code) < 0)
        return 0;
    *step_out = (int64_t)counter;
    return 1;
}
