/* web_timeline.h - the story of a message, as `why` tells it: what happened when, by whom, with links to what it names */
#pragma once

struct json_t;
struct web_html;

/* A section "Its story": where the message stands, then each event. why: what the verb has answered; of what was refused before there
 * was a message, too. */
void web_timeline_section(struct web_html *html, const struct json_t *why);
