/* store_address.c - see store_address.h */
#include "mapping/store_address.h"

#include <string.h>

#include "base/strbuf.h"
#include "mapping/store_internal.h"

static bool is_local_part(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.";
    size_t len = strlen(text);
    return len > 0 && len <= STORE_LOCAL_PART_MAX && strspn(text, allowed) == len && text[0] != '.' &&
           text[len - 1] != '.' && !strstr(text, "..");
}

static bool is_reserved(const char *local_part)
{
    size_t len = strlen(STORE_ADDRESS_BOUNCES);
    return strncmp(local_part, STORE_ADDRESS_BOUNCES, len) == 0 && (local_part[len] == 0 || local_part[len] == '+');
}

int store_address_find(struct store_db *db, const char *local_part, struct store_target *target_out)
{
    struct store_query query;
    *target_out = (struct store_target){ 0 };
    store_query_begin(&query, db, "SELECT member_id, group_id FROM address WHERE local_part = ?",
                      STORE_VALUES(bind_text(local_part)));
    int result = store_query_next(&query);
    if (result == 1)
        *target_out = (struct store_target){ store_query_int(&query, 0), store_query_int(&query, 1) };
    store_query_end(&query);
    return result;
}

int store_address_check(struct store_db *db, const char *local_part, struct store_target target,
                        const char **reason_out)
{
    struct store_target owner;
    *reason_out = "the part before the @ must be 1 to 64 lower-case letters, digits, dots and the like";
    if (!is_local_part(local_part))
        return 0;
    *reason_out = "the address is for reports that come back to the gateway";
    if (is_reserved(local_part))
        return 0;
    int found = store_address_find(db, local_part, &owner);
    if (found < 0)
        return -1;
    bool allowed = found == 0 || store_target_equal(owner, target);
    *reason_out = allowed ? NULL : "the address is, or was, another member's or group's";
    return allowed;
}

int store_address_give(struct store_db *db, const char *local_part, struct store_target target, const char **reason_out)
{
    int allowed = store_address_check(db, local_part, target, reason_out);
    if (allowed != 1)
        return allowed;
    return store_execute(db,
                         "INSERT INTO address (local_part, member_id, group_id) VALUES (?, ?, ?)"
                         " ON CONFLICT (local_part) DO NOTHING",
                         STORE_VALUES(bind_text(local_part), bind_id(target.member_id), bind_id(target.group_id))) < 0
               ? -1
               : 1;
}

/* "Alice Member" -> "alice.member": letters and digits, whatever is between them is one dot. */
static void derive(const char *name, const char *if_nothing_left, struct strbuf *out)
{
    bool dot = false;
    for (const char *p = name; *p; p++) {
        char lower = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) {
            if (out->len + dot + 1 > STORE_LOCAL_PART_MAX)
                break;
            if (dot)
                strbuf_add_char(out, '.');
            strbuf_add_char(out, lower);
            dot = false;
        } else {
            dot = out->len > 0;
        }
    }
    if (out->len == 0)
        strbuf_add_str(out, if_nothing_left);
}

int store_address_derive(struct store_db *db, const char *name, const char *if_nothing_left,
                         char local_part_out[static STORE_LOCAL_PART_MAX + 1])
{
    struct strbuf base, number, whole;
    struct store_target owner;
    int taken = 1;
    strbuf_init(&base, STORE_LOCAL_PART_MAX);
    strbuf_init(&number, STORE_LOCAL_PART_MAX);
    strbuf_init(&whole, STORE_LOCAL_PART_MAX);
    derive(name, if_nothing_left, &base);
    for (unsigned n = 1; taken == 1; n++) {
        strbuf_clear(&number);
        if (n > 1)
            strbuf_add_fmt(&number, ".%u", n);
        size_t room = STORE_LOCAL_PART_MAX - number.len;
        strbuf_clear(&whole);
        strbuf_add(&whole, base.data, base.len < room ? base.len : room);
        while (n > 1 && whole.data[whole.len - 1] == '.')
            strbuf_truncate(&whole, whole.len - 1); /* where it was cut */
        strbuf_add_str(&whole, number.data);
        taken = is_reserved(whole.data) ? 1 : store_address_find(db, whole.data, &owner);
    }
    memcpy(local_part_out, whole.data, whole.len + 1);
    strbuf_free(&base);
    strbuf_free(&number);
    strbuf_free(&whole);
    return taken < 0 ? -1 : 1;
}
