/* silo_token.c - see silo_token.h */
#include "gateway/silo_token.h"

#include <stdlib.h>

#include "base/secret_file.h"
#include "tmtp/tmtp_header.h"

int silo_token_read(const char *file, char **oidc_out, char **error_out)
{
    char *text;
    const char *reason = NULL;
    size_t len;
    int result = secret_file_read(file, TMTP_TOKEN_MAX, &text, &len, error_out);
    if (result == 0) {
        free(*error_out);
        *error_out =
            secret_file_explain("there is no file %s; put there what the provider's token endpoint answered", file);
    }
    if (result != 1)
        return result;
    if (len == 0) {
        *error_out = secret_file_explain("%s is empty; put there what the provider's token endpoint answered", file);
        result = 0;
    } else if (tmtp_token_normalise(text, len, oidc_out, &reason) != 1) {
        *error_out = secret_file_explain(
            "%s does not hold a token: %s; put there what the provider's token endpoint answered", file, reason);
        result = -1;
    }
    free(text);
    return result;
}
