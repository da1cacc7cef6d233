/* api_token.h - the text that a program holds: "postern_" and 256 random bits; only its SHA-256 is stored */
#pragma once
#include "base/digest.h"

enum { API_TOKEN_SIZE = 61 }; /* with the NUL */

void api_token_make(char text_out[static API_TOKEN_SIZE]);
void api_token_digest(const char *text, uint8_t digest_out[static DIGEST_SIZE]);
