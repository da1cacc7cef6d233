/* ctl_words.c - see ctl_words.h */
#include "gateway/ctl_words.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/config.h"

static int misused(const char *what, const char *word, const char *usage)
{
    fprintf(stderr, "posternctl: %s%s%s\nusage: posternctl %s\n", what, word[0] ? ": " : "", word, usage);
    return -1;
}

static int find_name(const char *const *names, const char *word)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return -1;
}

int ctl_words_sort(const struct ctl *ctl, int argc, char **argv, const char *const *names, size_t arguments_min,
                   size_t arguments_max, const char *usage, struct ctl_words *words_out)
{
    bool only_arguments = false;
    *words_out = (struct ctl_words){ .json = ctl->json };
    for (int i = 0; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && strcmp(argv[i], "--json") == 0) {
            words_out->json = true;
        } else if (!only_arguments && strncmp(argv[i], "--", 2) == 0) {
            int name = find_name(names, argv[i]);
            if (name < 0)
                return misused("unknown option", argv[i], usage);
            if (i + 1 == argc)
                return misused("an option lacks its value", argv[i], usage);
            words_out->options[name] = argv[++i];
        } else {
            if (words_out->argument_count == arguments_max)
                return misused("too many words", argv[i], usage);
            words_out->arguments[words_out->argument_count++] = argv[i];
        }
    }
    return words_out->argument_count < arguments_min ? misused("something is missing", "", usage) : 1;
}

int ctl_words_flag(const struct ctl_words *words, size_t index, const char *name, const char *usage, bool *flag_out)
{
    const char *value = words->options[index];
    *flag_out = value && strcmp(value, "yes") == 0;
    if (!value || *flag_out || strcmp(value, "no") == 0)
        return 1;
    fprintf(stderr, "posternctl: %s takes yes or no\nusage: posternctl %s\n", name, usage);
    return -1;
}

struct config *ctl_config_load(const struct ctl *ctl)
{
    struct strbuf problems;
    strbuf_init(&problems, 256 * 1024);
    struct config *config = config_load(ctl->config_file, &problems);
    if (!config)
        fputs(problems.data, stderr);
    strbuf_free(&problems);
    return config;
}
