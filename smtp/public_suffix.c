#include "smtp/public_suffix.h"

#include <libpsl.h>
#include <stdlib.h>

#include "base/xmalloc.h"

struct public_suffixes {
    psl_ctx_t *list; /* NULL: neither a file nor a built-in list, so that only equal domains are one organisation's */
};

struct public_suffixes *public_suffixes_new(void)
{
    struct public_suffixes *suffixes = xcalloc(1, sizeof *suffixes);
    suffixes->list = psl_latest(NULL);
    return suffixes;
}

void public_suffixes_free(struct public_suffixes **suffixes)
{
    if (*suffixes)
        psl_free((*suffixes)->list); /* leaves the built-in one alone */
    free(*suffixes);
    *suffixes = NULL;
}

const char *public_suffixes_organisation(const struct public_suffixes *suffixes, const char *domain)
{
    const char *registered = suffixes->list ? psl_registrable_domain(suffixes->list, domain) : NULL;
    return registered ? registered : domain;
}
