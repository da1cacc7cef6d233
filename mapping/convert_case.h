/* convert_case.h - letters without their case
 *
 * Of the scripts that have cases and that mail programs write their own words in: Latin, Greek, Cyrillic. Pure. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The small letter; what is none stays as it is. */
uint32_t convert_case_lower(uint32_t code);
/* Length of what text begins with when that is word but for the case of letters; 0 when it is not. word: small letters. */
size_t convert_case_prefix_len(const char *text, size_t len, const char *word);
