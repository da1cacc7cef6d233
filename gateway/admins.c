/* admins.c - see admins.h */
#include "gateway/admins.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"

int admins_find_uid(struct store_db *db, const char *alias, char **uid_out)
{
    struct store_member member;
    struct store_identity identity;
    *uid_out = NULL;
    int found = store_member_find_by_alias(db, alias, &member);
    if (found == 1) {
        *uid_out = member.uid;
        member.uid = NULL;
        store_member_free(&member);
    }
    if (found < 0 || *uid_out)
        return found;
    found = store_identity_find(db, alias, &identity);
    if (found != 1)
        return found;
    bool is_vouched = store_identity_is_vouched(identity.source);
    if (is_vouched)
        *uid_out = xstrdup(identity.uid);
    store_identity_free(&identity);
    return is_vouched;
}

int admins_include(struct store_db *db, char *const *aliases, const char *uid)
{
    for (; aliases && *aliases; aliases++) {
        char *theirs;
        int found = admins_find_uid(db, *aliases, &theirs);
        bool same = found == 1 && theirs && strcmp(theirs, uid) == 0;
        free(theirs);
        if (found < 0 || same)
            return found;
    }
    return 0;
}
