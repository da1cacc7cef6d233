/* convert_words.h - how much of one text is missing in another
 *
 * For texts that should say the same in two forms. Words are compared without case (ASCII) and punctuation, each once,
 * wherever it stands; addresses of the web don't count, since one form hides them; of scripts without spaces each
 * character is a word. Linear but for the sorting of at most CONVERT_WORDS_MAX words. Pure functions. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct convert_words {
    uint64_t *hashes; /* sorted, each once */
    size_t count;
    bool is_cut; /* there are more than CONVERT_WORDS_MAX */
};

/* text: UTF-8. */
void convert_words_read(const char *text, size_t len, struct convert_words *words_out);
void convert_words_free(struct convert_words *words);

/* How many of words are not in other. 0 when other was cut: nobody knows then; when words was, of those that
 * are left. */
size_t convert_words_missing(const struct convert_words *words, const struct convert_words *other);
