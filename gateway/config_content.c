/* config_content.c - the section `content`: how mail reads in threads, and threads in mail */
#include "gateway/config_internal.h"

const struct config_keyword config_content_bodies[] = {
    { "auto", CONFIG_BODY_AUTO }, { "text", CONFIG_BODY_TEXT }, { "html", CONFIG_BODY_HTML }, { 0 }
};
const struct config_keyword config_content_quotes[] = { { "fold", CONFIG_QUOTE_FOLD },
                                                        { "keep", CONFIG_QUOTE_KEEP },
                                                        { 0 } };
const struct config_keyword config_content_answered[] = { { "none", false }, { "short", true }, { 0 } };

void config_take_content(cfg_t *cfg, struct config *config)
{
    cfg_t *section = cfg_getsec(cfg, "content");
    config->content.body = (enum config_body)config_word(section, config_content_bodies, "body");
    config->content.quote = (enum config_quote)config_word(section, config_content_quotes, "quote");
    config->content.quotes_answered = config_word(section, config_content_answered, "answered");
    config->content.names_others = cfg_getbool(section, "others");
}
