/* dkim_key.c - see dkim_key.h */
#include "smtp/dkim_key.h"

#include <string.h>

#include "base/verify_key.h"
#include "smtp/dkim_tags.h"

static const struct {
    const char *name;
    struct verify_key *(*make)(const uint8_t *data, size_t len);
} kinds[] = {
    [DKIM_KEY_RSA] = { "rsa", verify_key_from_rsa },
    [DKIM_KEY_ED25519] = { "ed25519", verify_key_from_ed25519 },
};

/* v= is optional, but when it is there it is the first tag, and its case counts. */
static bool is_of_known_version(const struct dkim_tags *tags)
{
    static const char version[] = "DKIM1";
    struct dkim_text value = dkim_tags_find(tags, "v");
    if (!value.data)
        return true;
    return value.data == tags->list[0].value.data && value.len == sizeof version - 1 &&
           memcmp(value.data, version, value.len) == 0;
}

static bool is_open_to(const struct dkim_tags *tags, const char *tag, const char *word, const char *wildcard)
{
    struct dkim_text list = dkim_tags_find(tags, tag);
    return !list.data || dkim_text_has(list, word) || (wildcard && dkim_text_has(list, wildcard));
}

static const char *judge(const struct dkim_tags *tags, enum dkim_key_kind kind)
{
    struct dkim_text type = dkim_tags_find(tags, "k");
    if (!is_of_known_version(tags))
        return "is of an unknown version";
    if (type.data ? !dkim_text_is(type, kinds[kind].name) : kind != DKIM_KEY_RSA)
        return "is of another kind than the signature";
    if (!is_open_to(tags, "h", "sha256", NULL))
        return "is not meant for SHA-256";
    if (!is_open_to(tags, "s", "email", "*"))
        return "is not meant for mail";
    struct dkim_text data = dkim_tags_find(tags, "p");
    if (!data.data)
        return "is missing in its record";
    return data.len == 0 ? "was revoked" : NULL;
}

int dkim_key_parse(const char *record, size_t len, enum dkim_key_kind kind, struct dkim_key *key_out,
                   const char **why_out)
{
    struct dkim_tags tags;
    uint8_t data[VERIFY_KEY_DER_MAX];
    size_t size;
    memset(key_out, 0, sizeof *key_out);
    *why_out = dkim_tags_parse(record, len, &tags) == 1 ? judge(&tags, kind) : "is in a record that is not of its form";
    if (*why_out)
        return -1;
    if (dkim_text_to_octets(dkim_tags_find(&tags, "p"), data, sizeof data, &size) == 1)
        key_out->key = kinds[kind].make(data, size);
    key_out->is_testing = dkim_text_has(dkim_tags_find(&tags, "t"), "y");
    key_out->is_strict = dkim_text_has(dkim_tags_find(&tags, "t"), "s");
    *why_out = key_out->key ? NULL : "can't be read";
    return key_out->key ? 1 : -1;
}

void dkim_key_free(struct dkim_key *key)
{
    verify_key_free(&key->key);
}
