/* ctl_words.h - the words behind a verb that posternctl does itself, and the configuration that most of them need
 *
 * As the daemon's commands have them: options are names with a value each, "--" ends them, "--json" stands anywhere.
 */
#pragma once
#include "gateway/ctl.h"
#include <stddef.h>

struct config;

enum { CTL_ARGUMENTS_MAX = 8, CTL_OPTIONS_MAX = 8 };

struct ctl_words {
    const char *arguments[CTL_ARGUMENTS_MAX];
    size_t argument_count;
    const char *options[CTL_OPTIONS_MAX]; /* values, in the order of the names; NULL: not given */
    bool json;
};
/* argv: behind the verb. names: "--dry-run" and so on, NULL at the end. 1; -1 after having said what is wrong, and the usage. */
int ctl_words_sort(const struct ctl *ctl, int argc, char **argv, const char *const *names, size_t arguments_min,
                   size_t arguments_max, const char *usage, struct ctl_words *words_out)
    __attribute__((warn_unused_result));
/* An option that is yes or no, no when it is not given. 1; -1 as above. */
int ctl_words_flag(const struct ctl_words *words, size_t index, const char *name, const char *usage, bool *flag_out)
    __attribute__((warn_unused_result));
/* NULL after having said what is wrong with it. config_free() it. */
struct config *ctl_config_load(const struct ctl *ctl);
