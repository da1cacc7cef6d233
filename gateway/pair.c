/* pair.c - see pair.h */
#include "gateway/pair.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gateway/config.h"
#include "mapping/subject.h"

static void copy_row(const struct store_mapping *row, void *ctx)
{
    struct pair *pair = ctx;
    pair->rows = xreallocarray(pair->rows, pair->count + 1, sizeof *pair->rows);
    struct store_mapping *copy = &pair->rows[pair->count++];
    *copy = *row;
    copy->subject = xstrdup(row->subject);
    copy->target_name = xstrdup(row->target_name);
    copy->attachments = xstrdup(row->attachments);
    copy->note = xstrdup(row->note);
    copy->created_by = xstrdup(row->created_by);
    copy->created_via = xstrdup(row->created_via);
    copy->decided_by = xstrdup(row->decided_by);
    copy->reason = xstrdup(row->reason);
}

void pair_find(struct store_db *db, const char *address, struct store_target target, struct pair *out)
{
    struct subject_keys keys;
    bool is_somebody = target.member_id || target.group_id;
    *out = (struct pair){ .count = 0 };
    subject_keys_make(address, &keys);
    int result = is_somebody && keys.count ? store_mapping_list_candidates(db, address, target, copy_row, out) : 1;
    out->facts = (struct policy_pair){ .outside = address,
                                       .inside = "",
                                       .address = keys.count ? address : "", /* nobody can have decided about it */
                                       .target = target,
                                       .rows = out->rows,
                                       .count = out->count,
                                       .database_failed = result != 1 };
}

void pair_free(struct pair *pair)
{
    for (size_t i = 0; i < pair->count; i++)
        store_mapping_free(&pair->rows[i]);
    free(pair->rows);
    *pair = (struct pair){ .count = 0 };
}

bool pair_holds_unknown(const struct config *config, struct store_target target)
{
    return config->policy.unknown_senders == CONFIG_UNKNOWN_HOLD && target.member_id;
}
