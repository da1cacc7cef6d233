#include "mapping/convert_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

/* FNV-1a, 64 bits: that two words meet by chance or by malice changes a count by one. */
#define HASH_START 0xCBF29CE484222325U
#define HASH_PRIME 0x100000001B3U

static void add_word(struct convert_words *words, uint64_t hash)
{
    if (words->count == CONVERT_WORDS_MAX)
        words->is_cut = true;
    else
        words->hashes[words->count++] = hash;
}

static bool is_address(const char *text, size_t len)
{
    static const char *const schemes[] = { "http://", "https://", "mailto:", "www." };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        if (len > n && strncasecmp(text, schemes[i], n) == 0)
            return true;
    }
    return false;
}

static size_t address_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (unsigned char)text[n] > ' ' && !strchr("<>\")]", text[n]))
        n++;
    return n;
}

/* Bytes of the character at text that belong to a word; 0 when it separates words. alone: it is a word by itself. */
static size_t word_char(const char *text, size_t len, bool *alone)
{
    uint32_t code;
    size_t n = convert_utf8_char(text, len, &code);
    *alone = code >= 0x2E80 && code < 0xFE00;
    bool is_letter = code < 0x80 ? isalnum((int)code) != 0 : code > 0xBF && !(code >= 0x2000 && code < 0x2E80);
    return n > 0 && is_letter ? n : 0;
}

static uint64_t hash_char(uint64_t hash, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint64_t)(unsigned char)(n == 1 ? tolower((unsigned char)text[i]) : text[i])) * HASH_PRIME;
    return hash;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void sort_and_unite(struct convert_words *words)
{
    size_t kept = 0;
    qsort(words->hashes, words->count, sizeof *words->hashes, compare_hashes);
    for (size_t i = 0; i < words->count; i++) {
        if (kept == 0 || words->hashes[kept - 1] != words->hashes[i])
            words->hashes[kept++] = words->hashes[i];
    }
    words->count = kept;
}

void convert_words_read(const char *text, size_t len, struct convert_words *words_out)
{
    *words_out = (struct convert_words){ .hashes = xcalloc(CONVERT_WORDS_MAX, sizeof(uint64_t)) };
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < len && !words_out->is_cut;) {
        bool alone;
        if (hash == HASH_START && is_address(text + i, len - i)) {
            i += address_len(text + i, len - i);
            continue;
        }
        size_t n = word_char(text + i, len - i, &alone);
        if (hash != HASH_START && (n == 0 || alone)) {
            add_word(words_out, hash);
            hash = HASH_START;
        }
        if (n > 0)
            hash = hash_char(hash, text + i, n);
        if (n > 0 && alone) {
            add_word(words_out, hash);
            hash = HASH_START;
        }
        i += n > 0 ? n : 1;
    }
    if (hash != HASH_START)
        add_word(words_out, hash);
    sort_and_unite(words_out);
}

void convert_words_free(struct convert_words *words)
{
    free(words->hashes);
    *words = (struct convert_words){ 0 };
}

size_t convert_words_missing(const struct convert_words *words, const struct convert_words *other)
{
    size_t missing = 0;
    size_t k = 0;
    if (other->is_cut)
        return 0;
    for (size_t i = 0; i < words->count; i++) {
        while (k < other->count && other->hashes[k] < words->hashes[i])
            k++;
        missing += k == other->count || other->hashes[k] != words->hashes[i];
    }
    return missing;
}
